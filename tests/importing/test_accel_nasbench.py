"""Accel-NASBench: choices, scores, performance by platform, errors; the real file where it is."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accel_files import archive, training
from commands import nasbench

from nasbench.spaces import get_space
from nasbench.store.measured import choose
from nasbench.store.query import Results
from nasbench.tabular.importers.accel_nasbench import SPACE

SHARED = Path(os.environ.get("NASBENCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
REAL = SHARED / "tables" / "accel_nasbench.tar.gz"


def refused(path: Path) -> str:
    done = nasbench("import", "accel-nasbench", str(path), "-o", str(path.parent / "o.h5"))
    assert done.code == 2, (done.out, done.err)
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert not (path.parent / "o.h5").exists()
    return done.err


def test_a_training_is_a_child_with_its_performance_beside_it(tmp_path: Path) -> None:
    files = [training(0, 60.0), training(3, 50.0, latency_zcu102=None), training(0, 61.0)]
    done = nasbench(
        "import", "accel-nasbench", str(archive(tmp_path / "a.tar.gz", files)), "-o", str(tmp_path / "o.h5")
    )
    assert done.code == 0, done.err
    assert "3 trainings read, 3 stored: 3 ok" in done.out
    assert re.search(r"missing: .*\blatency\b[^;]* of 1\b", done.out)
    with Results(tmp_path / "o.h5") as results:
        frame, rows = results.frame(), results.measurements()
    assert set(frame["space"]) == {SPACE}
    assert frame["val_acc"].tolist() == [0.6, 0.5, 0.61]
    assert frame["seed"].tolist() == [0, 0, 1]
    assert frame["device_seconds"].tolist() == [1000.0, 1003.0, 1000.0]
    assert frame["hash"].nunique() == 2
    assert set(frame["published_params"]) == {2_500_000}
    assert set(frame["published_mult_adds"]) == {300_250_000}
    # Block 0 of network 3: expansion 1, kernel 5, one layer, none; its block 5 has the four layers that only block 5 may have.
    choices = json.loads(frame["choices"][1])
    assert choices[:4] == [0, 1, 0, 0]
    assert choices[4 * 5 : 4 * 5 + 4] == [2, 1, 3, 0]
    assert choices[4 * 3 + 3] == 1
    found = choose(rows, "throughput[device=a100]")
    assert (found.unit, found.direction) == ("images/s", "higher")
    assert sorted(found.values) == [12.0, 15.0]  # the mean of two trainings of one network, and one
    assert choose(rows, "latency[device=zcu102]").unit == "ms"
    assert len(choose(rows, "latency[device=zcu102]").values) == 1
    folder = tmp_path / "jsons"
    folder.mkdir()
    for number, each in enumerate(files):
        (folder / f"result_{number}.json").write_text(json.dumps(each))
    assert nasbench("import", "accel-nasbench", str(folder), "-o", str(tmp_path / "f.h5")).code == 0
    with Results(tmp_path / "f.h5") as results:
        assert results.frame()["val_acc"].tolist() == frame["val_acc"].tolist()


def changed(part: str, **values: Any) -> dict[str, Any]:
    made = training(0, 60.0)
    made[part] = made[part] | values
    return made


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"{", "is no JSON that can be read"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 40_000, "is no JSON that can be read"),
        (["list"], "it has no architecture"),
        ({"architecture": {}}, "block0_e is one of 1, 4, 6, got None"),
        (changed("architecture", block0_l=4), "block0_l is one of 1, 2, 3, got 4"),
        (changed("architecture", block2_se=1), "block2_se is one of False, True, got 1"),
        (changed("architecture", block2_k=True), "block2_k is one of 3, 5, got True"),
        (changed("metrics", val_top1=3184.0), "val_acc is 31.84, not a fraction"),
        (changed("metrics", val_top1=None), "val_top1 is a number, got None"),
        (changed("metrics", train_time=-1.0), "train_seconds is -1; it is at least 0"),
        (changed("metrics", val_top5="80"), "val_top5 is a number, got '80'"),
        (changed("model_info", params=-2.0), "params is a number of millions, got -2"),
        (changed("model_info", macs=1e300), "macs is a number of millions, got 1e+300"),
        (changed("platform_perf", latency_vck190={"latency_mean": 0.0}), "latency_vck190 is 0; it is above 0"),
        (training(0, 60.0, platform_perf=None), "it has no platform_perf"),
    ],
)
def test_other_contents_name_file_and_field(record: Any, said: str, tmp_path: Path) -> None:
    message = refused(archive(tmp_path / "a.tar.gz", [training(0, 60.0), record]))
    assert said in message
    assert "result_1.json" in message


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(b"no tar file"))
    assert "cannot be read as a tar file" in refused(tmp_path / "a.tar.gz")
    whole = archive(tmp_path / "b.tar.gz", [training(0, 60.0)]).read_bytes()
    (tmp_path / "b.tar.gz").write_bytes(whole[: len(whole) // 2])
    assert "cannot be read as a tar file" in refused(tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as file:
        member = tarfile.TarInfo("result_0.json")
        member.size = 1 << 20
        file.addfile(member, io.BytesIO(bytes(1 << 20)))
    assert "result_0.json has 1,048,576 bytes; it is no training" in refused(tmp_path / "c.tar.gz")
    assert "has no rows to import" in refused(archive(tmp_path / "d.tar.gz", []))
    (tmp_path / "empty").mkdir()
    assert "has no JSON files" in refused(tmp_path / "empty")


def test_the_space_has_the_published_number_of_decisions_and_options() -> None:
    """Source: configurationspaces/configuration_space_writer.py: 3 x 2 x 3 x 2 options a block, block 5 has 4 for the layers."""
    assert get_space(SPACE).size == (3 * 2 * 3 * 2) ** 6 * (3 * 2 * 4 * 2)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="needs the shared data; set NASBENCH_SHARED_DATA to its folder")
def test_the_real_file_has_5138_trainings_and_the_known_optimum(tmp_path: Path) -> None:
    """The paper (2404.08005) says 5.2k networks on ImageNet and six accelerators; 13 of the file's networks are there twice."""
    done = nasbench("import", "accel-nasbench", str(REAL), "-o", str(tmp_path / "o.h5"))
    assert done.code == 0, done.err
    assert "5138 trainings read, 5138 stored: 5138 ok" in done.out
    assert re.search(r"missing: .*\bthroughput\b[^;]* of 88\b", done.out)
    with Results(tmp_path / "o.h5") as results:
        frame, rows = results.frame(), results.measurements()
    assert frame["hash"].nunique() == 5_125
    best = frame.loc[frame["val_acc"].idxmax()]
    assert best["val_acc"] == pytest.approx(0.67052)
    assert best["published_params"] == 5_885_624
    assert frame["device_seconds"].sum() / 3600 == pytest.approx(3065.28, abs=0.01)
    assert set(rows["device"]) == {"", "a100", "3090", "tpuv2", "tpuv3", "zcu102", "vck190"}
    a100 = choose(rows, "throughput[device=a100]")
    assert np.isclose(a100.values.max(), 30275.433)
