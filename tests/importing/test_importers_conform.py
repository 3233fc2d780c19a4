"""Every importer's output is sound, listed, and survives merge, export, diff, migrate and repair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from import_samples import FEW, SAMPLES

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.store.query import Results
from nasbench.tabular.importers import hw_latency as hw_latency_importer
from nasbench.tabular.importers.about import NO_TIMES, about
from nasbench.tabular.importers.importer_base import Group
from nasbench.tabular.importers.registry import IMPORTERS

OF_TRAININGS = [name for name in IMPORTERS if about(name, IMPORTERS.get(name)).trainings]
OF_MEASUREMENTS = [name for name in IMPORTERS if name not in OF_TRAININGS]


def done(*words: str) -> str:
    found = nasbench(*words)
    assert (found.code, found.err) == (0, ""), (words, found.err, found.out)
    return found.out


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", OF_TRAININGS)
def test_an_import_is_a_results_file_like_any_other(name: str, tmp_path: Path) -> None:
    files = []
    for part in (0, 1):
        files.append(str(tmp_path / f"part{part}.h5"))
        words = SAMPLES[name](tmp_path, part)
        printed = done("import", *words, "-o", files[-1])
        assert " read, " in printed
        assert "sound" in done("check", files[-1])
        with Results(files[-1]) as results:
            frame, runs = results.frame(), results.runs()
        assert len(frame) > 0
        # Hours of a run are those of its trainings, each charged once.
        hours = frame.groupby("run")["gpu_hours"].sum(min_count=1).reindex(runs["run"]).to_numpy()
        categories = [column for column in runs.columns if column.endswith("_hours")]
        np.testing.assert_allclose(runs[categories].sum(axis=1, min_count=1), np.nan_to_num(hours), rtol=1e-12)
        accuracies = frame[["val_acc", "test_acc", "train_acc", "val_acc_best"]].to_numpy()
        assert (np.isnan(accuracies) | ((accuracies >= 0) & (accuracies <= 1))).all()
        described = about(name, IMPORTERS.get(name))
        assert described.times in (None, bool(frame["device_seconds"].notna().any()))
        assert words[0] in described.command.split()[0].split("|")
        assert (frame["status"] == "ok").to_numpy()[~np.isnan(frame[["val_acc", "test_acc"]]).all(axis=1)].all()

        listed = done("status", files[-1])
        for run, strategy, seed in zip(runs["run"], runs["strategy"], runs["seed"]):
            (line,) = [line for line in listed.splitlines() if line.startswith(run)]
            mine = frame[frame["run"] == run]
            stage = "search" if (mine["stage"] == "search").any() else "final"
            assert line.split()[:5] == [run, strategy, str(seed), "complete", str((mine["stage"] == stage).sum())]
            assert "100% of" in line

        before = Path(files[-1]).read_bytes()
        done("repair", files[-1])
        assert Path(files[-1]).read_bytes() == before
        assert {path.name for path in tmp_path.glob("part*")} == {Path(file).name for file in files}
        done("migrate", files[-1])
        assert Path(files[-1]).read_bytes() == before
        assert f"{len(frame)} children are the same in both" in done("diff", files[-1], files[-1])

        for ending in ("csv", "jsonl", "parquet"):
            if ending == "parquet":
                pytest.importorskip("pyarrow")
            for what in ("children", "runs", "curves"):
                done("export", files[-1], "--what", what, "-o", str(tmp_path / f"{what}{part}.{ending}"))
        exported = pd.read_csv(tmp_path / f"children{part}.csv")
        pd.testing.assert_series_equal(exported["val_acc"], frame["val_acc"])

    done("merge", *files, "-o", str(tmp_path / "all.h5"))
    assert "sound" in done("check", str(tmp_path / "all.h5"))
    with Results(files) as parts, Results(tmp_path / "all.h5") as merged:
        assert len(merged) == len(parts)
        if name != "nasbench201-archive":  # its second part is another data set
            groups = merged.frame().groupby(["protocol", "data", "stage"])["fingerprint"]
            assert groups.nunique().max() == 1


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", OF_TRAININGS)
def test_an_import_of_one_source_is_the_same_twice(name: str, tmp_path: Path) -> None:
    words = SAMPLES[name](tmp_path, 0)
    for file in ("a.h5", "b.h5"):
        done("import", *words, "-o", str(tmp_path / file))
    assert "children are the same in both" in done("diff", str(tmp_path / "a.h5"), str(tmp_path / "b.h5"))
    merged = done("merge", str(tmp_path / "a.h5"), str(tmp_path / "b.h5"), "-o", str(tmp_path / "c.h5"))
    with Results(tmp_path / "a.h5") as one, Results(tmp_path / "c.h5") as both:
        assert len(one) == len(both), merged


@pytest.mark.parametrize("name", list(IMPORTERS))
def test_the_list_says_of_an_importer_what_it_reads_and_what_its_source_lacks(name: str) -> None:
    found = about(name, IMPORTERS.get(name))
    assert all(text.strip() and len(text) < 300 for _, text in found.lines)
    assert found.times is None or "https://" in found.published
    listed = done("import", "--list")
    assert f"\n{name}\n" in f"\n{listed}"
    assert all(text in listed for _, text in found.lines)
    assert (NO_TIMES in dict(found.lines)["lacks"]) == (found.times is False and found.trainings)
    assert name in SAMPLES


@pytest.mark.parametrize("name", OF_MEASUREMENTS)
def test_imported_measurements_are_a_results_file_like_any_other(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [get_space("nasbench201").of_index(index) for index in range(FEW)]
    monkeypatch.setattr(hw_latency_importer, "_cells", lambda: [(cell, cell.hash) for cell in cells])
    files = [str(tmp_path / "part0.h5"), str(tmp_path / "part1.h5")]
    for part, file in enumerate(files):
        assert " read, " in done("import", *SAMPLES[name](tmp_path, part), "-o", file)
    with Results(files) as results:
        rows = results.measurements()
        assert len(results) == 0
    assert rows["value"].notna().all()
    assert "sound" in done("check", files[0])
    assert "no process writes this file" in done("status", files[0])
    before = Path(files[0]).read_bytes()
    done("repair", files[0])
    done("migrate", files[0])
    assert Path(files[0]).read_bytes() == before
    assert "0 children are the same in both" in done("diff", files[0], files[0])
    done("export", files[0], "--what", "measurements", "-o", str(tmp_path / "measurements.csv"))
    exported = pd.read_csv(tmp_path / "measurements.csv")
    np.testing.assert_array_equal(exported["value"], rows["value"][: len(exported)])
    done("merge", *files, files[0], "-o", str(tmp_path / "all.h5"))
    assert "sound" in done("check", str(tmp_path / "all.h5"))
    with Results(tmp_path / "all.h5") as merged:
        assert len(merged.measurements()) == len(rows)
    again = nasbench("import", *SAMPLES[name](tmp_path, 0), "-o", files[0])
    assert again.code == 2
    assert "already; nothing was imported" in again.err


def test_an_importer_without_a_description_is_named() -> None:
    with pytest.raises(InputError, match="the importer 'odd' has no description"):
        about("odd", len)


@pytest.mark.parametrize("field", ["space", "protocol", "data", "split", "epochs"])
def test_a_fingerprint_is_of_everything_that_decides_a_score(field: str) -> None:
    group = Group("nasbench201", "theirs", "cifar10", "a note", 12, "half of the training images")
    other = replace(group, **{field: 200 if field == "epochs" else "another"})
    assert other.fingerprint != group.fingerprint
    assert replace(group, notes="another").fingerprint == group.fingerprint
