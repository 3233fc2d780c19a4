"""Latencies of the NAS-Bench-201 cells by index: values, flags, errors, and the fronts over them."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from commands import nasbench
from store_rows import measurement

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.store.format.schema import MEASUREMENT_COLUMNS
from nasbench.store.measured import FLAGGED, choose, every_way
from nasbench.store.query import Results
from nasbench.tabular.importers import hw_latency

SPACE = get_space("nasbench201")
SHARED = Path(os.environ.get("NASBENCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
TABLES = SHARED / "tables"
CELLS = [
    "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|",  # its output is 0 whatever its input is
    "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",  # the graph of the one above
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|",
    "|none~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|none~2|",
]
MILLISECONDS = [0.004, 10.0, 12.0, 20.0, 0.05, 2.0]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files have a row for each of `CELLS`."""
    cells = [SPACE.parse(text) for text in CELLS]
    monkeypatch.setattr(hw_latency, "_cells", lambda: [(cell, cell.hash) for cell in cells])


def file(folder: Path, values: object = MILLISECONDS, name: str = "nb201_phone.pt") -> str:
    torch.save(values, folder / name)
    return str(folder / name)


def refused(*words: str) -> str:
    done = nasbench("import", "hw-latency", *words)
    assert done.code == 2, (done.out, done.err)
    assert len(done.err.strip().splitlines()) == 1, done.err
    return done.err


@pytest.mark.usefixtures("few")
def test_rows_beside_a_table_and_their_flags(tmp_path: Path) -> None:
    out = str(tmp_path / "nb201.h5")
    pd.DataFrame({"cell": CELLS, "val": [0.1, 0.8, 0.8, 0.9, 0.7, 0.6]}).to_csv(tmp_path / "t.csv", index=False)
    maps = ("--map", "architecture=cell", "--map", "val_acc=val", "--set", "data=cifar10", "--set", "protocol=theirs")
    done = nasbench("import", "csv", str(tmp_path / "t.csv"), "-o", out, "--space", "nasbench201", *maps)
    assert done.code == 0, done.err
    done = nasbench("import", "hw-latency", file(tmp_path), "-o", out)
    assert done.code == 0, done.err
    assert "6 rows read, 6 stored: 4 ok, 2 flagged" in done.out
    assert "phone: 2 of 6 rows are of about 0 ms (0.004 to 0.05, median of the device 6)" in done.out
    assert "1 of them cells whose output does not depend on the input" in done.out
    with Results(out) as results:
        assert len(results) == 6
        rows = results.measurements()
    assert rows["value"].tolist() == MILLISECONDS
    assert set(rows["unit"]) == {"ms"}
    assert set(rows["device"]) == {"phone"}
    flagged = rows[rows["details"].str.contains(FLAGGED)]
    assert flagged["value"].tolist() == [0.004, 0.05]
    # Two cells of one hash were both measured; flagged rows are not there.
    found = choose(rows, "latency[device=phone]")
    assert found.flagged == 2
    assert found.repeated == 0
    assert found.values.to_dict() == {
        SPACE.parse(CELLS[1]).hash: 11.0,
        SPACE.parse(CELLS[3]).hash: 20.0,
        SPACE.parse(CELLS[5]).hash: 2.0,
    }
    # The fronts leave them out, too, and say so.
    words = ("pareto", out, "--objectives", "error,latency[device=phone]", "--csv", str(tmp_path / "f.csv"))
    done = nasbench(*words, "-o", str(tmp_path / "front"))
    assert done.code == 0, done.err
    assert "2 measurements that are flagged as faults are left out" in done.out
    assert "2 architectures with a score were not measured and are not shown" in done.out
    assert "sound" in nasbench("check", out).out


def test_a_later_measurement_replaces_all_cells_of_its_hash() -> None:
    columns = [column.name for column in MEASUREMENT_COLUMNS]
    old = [measurement(0, hash="a", value=1.0, choices=text, measured_at="2026-01") for text in ("[0]", "[1]")]
    new = [measurement(0, hash="a", value=5.0, choices="[1]", measured_at="2026-02")]
    found = choose(pd.DataFrame(old + new, columns=columns), "latency")
    assert (found.values.to_dict(), found.repeated) == ({"a": 5.0}, 2)
    found = choose(pd.DataFrame([*old[:1], old[1] | {"value": 2.0}], columns=columns), "latency")
    assert (found.values.to_dict(), found.repeated) == ({"a": 1.5}, 0)


def test_flags_alone_are_no_measurement() -> None:
    columns = [column.name for column in MEASUREMENT_COLUMNS]
    rows = pd.DataFrame([measurement(0, details='{"flagged": "about 0"}')], columns=columns)
    with pytest.raises(InputError, match="all of its 1 measurements are flagged as faults"):
        choose(rows, "latency")
    assert every_way(rows) == []


@pytest.mark.usefixtures("few")
def test_names_of_files_say_device_and_batch(tmp_path: Path) -> None:
    names = ("nb201_titan_rtx_256.pt", "nb201_gold_6226.pt", "1080ti_1.pt")
    done = nasbench(
        "import", "hw-latency", *(file(tmp_path, name=name) for name in names), "-o", str(tmp_path / "o.h5")
    )
    assert done.code == 0, done.err
    with Results(tmp_path / "o.h5") as results:
        rows = results.measurements()
    kinds = rows[["device", "batch"]].drop_duplicates().to_numpy().tolist()
    assert kinds == [["titan_rtx", 256], ["gold_6226", -1], ["1080ti", 1]]
    assert "o.h5 has latency[device=gold_6226] already" in refused(
        file(tmp_path, name=names[1]), "-o", str(tmp_path / "o.h5")
    )
    words = ("--device", "watch", "--batch", "4", "-o", str(tmp_path / "o.h5"))
    assert nasbench("import", "hw-latency", file(tmp_path, name=names[1]), *words).code == 0


class Marks:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> object:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0] * 5, "should have 6 latencies, one for each NAS-Bench-201 cell, got 5"),
        ([[1.0]] * 6, "latency 0 is a number, got a list"),
        ([1.0] * 5 + [float("nan")], "latency 5 is nan; it is above 0, and finite"),
        ([1.0, -2.0, 1.0, 1.0, 1.0, 1.0], "latency 1 is -2; it is above 0"),
        ([1.0, 0.0, 1.0, 1.0, 1.0, 1.0], "latency 1 is 0; it is above 0"),
        ({"pixel3": 1.0}, "should hold a list of latencies, got a dict"),
        (["fast"] * 6, "latency 0 is a number, got a str"),
        ([True] * 6, "latency 0 is a number, got a bool"),
        (torch.ones(6), "names torch._utils._rebuild_tensor_v2, which is never imported or called"),
    ],
)
def test_other_contents_are_refused(values: object, said: str, tmp_path: Path) -> None:
    assert said in refused(file(tmp_path, values), "-o", str(tmp_path / "o.h5"))
    assert not (tmp_path / "o.h5").exists()


@pytest.mark.usefixtures("few")
def test_hostile_files_run_nothing_and_fill_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, mark = str(tmp_path / "o.h5"), tmp_path / "was-run"
    assert "names posix.system, which is never imported or called" in refused(file(tmp_path, Marks(mark)), "-o", out)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Marks(mark), 2))
    assert "is no file that torch.save wrote" in refused(str(tmp_path / "plain.pt"), "-o", out)
    assert not mark.exists()
    monkeypatch.setattr(hw_latency, "_LARGEST", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(3 << 20))
    assert "unpacks to 3 MiB" in refused(str(tmp_path / "bomb.pt"), "-o", out)
    packed = bytearray(Path(file(tmp_path)).read_bytes())
    packed[100:200] = bytes(100)
    (tmp_path / "damaged.pt").write_bytes(packed)
    assert "damaged.pt is no" in refused(str(tmp_path / "damaged.pt"), "-o", out)
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("readme", "no pickle")
    assert "it has no data.pkl" in refused(str(tmp_path / "other.pt"), "-o", out)
    assert "none.pt" in refused(str(tmp_path / "none.pt"), "-o", out)
    assert "--device names the device of one file" in refused(
        file(tmp_path), file(tmp_path), "--device", "x", "-o", out
    )
    assert "two files are of one device" in refused(file(tmp_path), file(tmp_path), "-o", out)
    assert "otherwise name it with --device" in refused(file(tmp_path, name="latencies.bin"), "-o", out)


needs = pytest.mark.skipif(
    not (TABLES / "nb201_pixel3.pt").exists(), reason="needs the shared data; set NASBENCH_SHARED_DATA"
)
# Table 4 of HELP (Lee et al. 2021) prints these latencies; the cells are in data/nasbench201/architecture_config of its code.
PUBLISHED = {
    "fpga": ("|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_1x1~2|", 3.8),
    "titan_rtx": ("|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_1x1~1|none~2|", 17.8),
    "gold_6226": ("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|", 14.3),
}


@needs
@pytest.mark.slow
def test_the_real_files_have_the_published_latencies_and_283_faults_of_the_phone(tmp_path: Path) -> None:
    files = [str(path) for path in sorted(TABLES.glob("nb201_*.pt"))]
    out = str(tmp_path / "o.h5")
    done = nasbench("import", "hw-latency", *files, "-o", out)
    assert done.code == 0, done.err
    assert f"{6 * 15_625} rows read, {6 * 15_625} stored: 93178 ok, 572 flagged" in done.out
    assert "pixel3: 283 of 15,625 rows are of about 0 ms" in done.out
    with Results(out) as results:
        rows = results.measurements()
    for device, (text, published) in PUBLISHED.items():
        cell = SPACE.parse(text)
        mine = rows[(rows["device"] == device) & (rows["choices"] == str(list(cell.choices)).replace(" ", ""))]
        assert mine["value"].round(1).tolist() == [published]
    phone = choose(rows, "latency[device=pixel3]")
    assert len(phone.values) == 5_425
    assert (phone.flagged, phone.repeated) == (283, 0)
    assert phone.values.min() > 1.0
    faults = rows[(rows["device"] == "pixel3") & rows["details"].str.contains(FLAGGED)]
    assert len(faults) == 283
    assert faults["hash"].nunique() == 1  # all are one graph, whose output is 0
    assert np.isclose(faults["value"].min(), 0.00327686)
