"""`nasbench verify`: the rows of a real search agree to the bit, and rows that were tampered with do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from commands import nasbench
from searching import search, tiny_plan
from store_rows import child as blank_child
from store_rows import run as blank_run

from nasbench.errors import InputError
from nasbench.runners.search.config import plan_search
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter
from nasbench.training.verify import compare, default_tolerance, draw_sample

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verify") / "searched.h5"
    search(tiny_plan(), path)
    return path


def copied(source: Path, target: Path, child: Change = dict, run: Change = dict) -> Path:
    """The same file with its children and runs changed."""
    with Results(str(source)) as results, ResultsWriter(target) as writer:
        for stored in results.runs().to_dict("records"):
            writer.put_run(run(stored))
            for row in results.children_of(stored["run"]):
                plain = dict(row)
                curves = {name: list(values) for name, values in plain.pop("curves").items()}
                changed = child({**plain, "curves": curves})
                writer.append_child({name: changed[name] for name in plain}, changed["curves"])
    return target


def with_last_bit(value: float) -> float:
    return math.nextafter(value, 1)


def test_every_row_of_a_search_agrees_to_the_bit(searched: Path) -> None:
    with Results(str(searched)) as results:
        rows = len(results)
        assert set(results.frame(["stage"])["stage"]) == {"search", "final"}
    done = nasbench("verify", str(searched), "--sample", "100")
    assert done.code == 0, done.err
    assert f"{rows} of {rows} rows agree bit for bit" in done.out
    assert "DIFFERS" not in done.out


@pytest.mark.sampled(1)
@pytest.mark.parametrize("column", ["val_acc", "train_loss", "test_acc"])
def test_a_last_bit_is_a_disagreement(searched: Path, tmp_path: Path, column: str) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        return row | {column: with_last_bit(row[column])} if row["stage"] == "final" else row

    done = nasbench("verify", str(copied(searched, tmp_path / "changed.h5", change)), "--sample", "100")
    assert done.code == 1
    assert f"DIFFERS: {column} " in done.out


def test_a_last_bit_of_a_curve_is_a_disagreement(searched: Path, tmp_path: Path) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        curves = row["curves"]
        return row | {"curves": curves | {"val_loss": [with_last_bit(value) for value in curves["val_loss"]]}}

    done = nasbench("verify", str(copied(searched, tmp_path / "changed.h5", change)), "--sample", "2")
    assert done.code == 1
    assert "DIFFERS: curve val_loss" in done.out


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("column", "value"), [("hash", "0" * 32), ("device_seconds", 1234.5), ("gpu_hours", 1.0), ("eval_seconds", 9.0)]
)
def test_what_a_row_contradicts_itself_is_a_disagreement(
    searched: Path, tmp_path: Path, column: str, value: object
) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        return row | {column: value}

    done = nasbench("verify", str(copied(searched, tmp_path / "changed.h5", change)), "--sample", "2")
    assert done.code == 1
    assert f"DIFFERS: {'device_seconds' if column == 'eval_seconds' else column} " in done.out


def test_a_row_with_another_seed_is_a_disagreement(searched: Path, tmp_path: Path) -> None:
    changed = copied(searched, tmp_path / "changed.h5", lambda row: row | {"seed": row["seed"] + 1})
    assert nasbench("verify", str(changed), "--sample", "2").code == 1


def elsewhere(row: dict[str, Any]) -> dict[str, Any]:
    """The row as trained with another torch."""
    parts = row["platform"].split("; ")
    return row | {"platform": "; ".join("torch 0.0.1" if part.startswith("torch ") else part for part in parts)}


@pytest.mark.parametrize(("shift", "code"), [(0.01, 0), (-0.2, 1)])
def test_other_versions_are_held_against_the_tolerance(searched: Path, tmp_path: Path, shift: float, code: int) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        return elsewhere(row) | {"val_acc": row["val_acc"] + shift, "val_loss": row["val_loss"] + 1}

    changed = copied(searched, tmp_path / "changed.h5", change)
    done = nasbench("verify", str(changed), "--sample", "2", "--tolerance", "0.125")
    assert done.code == code, done.out
    assert "made elsewhere: torch 0.0.1, here " in done.out
    assert "within 0.125 in accuracy" in done.out


def test_rows_of_this_platform_are_drawn_where_there_are_any(searched: Path, tmp_path: Path) -> None:
    """A run that was resumed on another machine: its first rows have other bits."""

    def change(row: dict[str, Any]) -> dict[str, Any]:
        if row["stage"] == "final" or row["index"] >= 3:
            return row
        return elsewhere(row) | {"val_acc": row["val_acc"] - 0.3}

    changed = str(copied(searched, tmp_path / "changed.h5", change))
    with Results(changed) as results:
        here = len(results) - 3
    done = nasbench("verify", changed, "--sample", "100")
    assert done.code == 0, done.out
    assert f"{here} of {here} rows agree bit for bit (drawn from {here})" in done.out
    assert "not drawn from: 3 rows (trained on " in done.out
    assert "torch 0.0.1" in done.out
    done = nasbench("verify", changed, "--sample", "100", "--any-platform")
    assert done.code == 1
    assert f"{here} of {here} rows agree bit for bit; 0 of 3 rows agree within 0.15 in accuracy" in done.out


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("seeds", "spread", "limit"), [(1, 0.1, 0.15), (3, 0.01, 0.15), (3, 0.05, 0.05 * math.sqrt(32))]
)
def test_the_tolerance_follows_what_seeds_differ_by(tmp_path: Path, seeds: int, spread: float, limit: float) -> None:
    """Each architecture's seeds are at -spread, 0 and +spread around its mean, whose deviation is the spread."""
    with ResultsWriter(tmp_path / "x.h5") as writer:
        writer.put_run(blank_run())
        for number in range(20 * seeds):
            offset = spread * (number % seeds - (seeds - 1) / 2)
            kept, curves = blank_child(number, hash=f"{number // seeds:032x}", val_acc=0.5 + offset)
            writer.append_child(kept, curves)
    with Results(tmp_path / "x.h5") as results:
        assert default_tolerance(results) == pytest.approx(limit)


def test_a_missing_score_is_within_no_tolerance(searched: Path) -> None:
    class Evaluation:
        def __init__(self, row: Mapping[str, Any]) -> None:
            self.__dict__.update(dict(row) | {"val_acc": math.nan})

    with Results(str(searched)) as results:
        row = draw_sample(results, 1, 0).rows[0]
        check = compare(row, Evaluation(row), ("torch 1, here 2",), tolerance=1.0)  # type: ignore[arg-type]
    assert [difference.column for difference in check.differences] == ["val_acc"]


def test_the_draw_is_the_seeds(searched: Path) -> None:
    with Results(str(searched)) as results:

        def drawn(seed: int) -> list[tuple[str, int]]:
            return [(row["stage"], row["index"]) for row in draw_sample(results, 3, seed).rows]

        assert drawn(0) == drawn(0)
        assert len({tuple(drawn(seed)) for seed in range(10)}) > 1


def test_the_draw_gives_rows_of_the_runs_they_are_of(searched: Path, tmp_path: Path) -> None:
    """Rows of two runs that take turns: each drawn row is the one at its place in the file."""
    with Results(str(searched)) as results, ResultsWriter(tmp_path / "two.h5") as writer:
        stored = results.runs().to_dict("records")[0]
        children = results.children_of(stored["run"])
        for name in ("a", "b"):
            writer.put_run(stored | {"run": name})
        for row in children:
            for name in ("a", "b"):
                plain = dict(row)
                curves = plain.pop("curves")
                writer.append_child(plain | {"run": name}, curves)
    with Results(str(tmp_path / "two.h5")) as results:
        frame = results.frame(["run", "stage", "index"])
        drawn = [(row["run"], row["stage"], row["index"]) for row in draw_sample(results, 100, 0).rows]
    assert drawn == list(frame.itertuples(index=False, name=None))


def test_rows_that_cannot_be_trained_again_are_counted(searched: Path, tmp_path: Path) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"status": "timed_out"} if row["stage"] == "search" and row["index"] < 2 else row

    done = nasbench("verify", str(copied(searched, tmp_path / "changed.h5", change)), "--sample", "1")
    assert done.code == 0
    assert "not drawn from: 2 rows (timed_out)" in done.out


def test_an_imported_table_is_refused(searched: Path, tmp_path: Path) -> None:
    changed = copied(searched, tmp_path / "table.h5", run=lambda run: run | {"config": "{}"})
    done = nasbench("verify", str(changed))
    assert (done.code, done.out) == (2, "")
    assert "no row can be trained again" in done.err
    assert "not trained by this suite" in done.err


def test_a_changed_protocol_is_refused(searched: Path, tmp_path: Path) -> None:
    changed = copied(searched, tmp_path / "other.h5", lambda row: row | {"fingerprint": "0" * 16})
    done = nasbench("verify", str(changed))
    assert done.code == 2
    assert "fingerprint 0000000000000000" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sample", "0"), "--sample"),
        (("--seed", "-1"), "--seed"),
        (("--tolerance", "2"), "--tolerance"),
        (("--device", "cuda:99"), "cuda:99"),
    ],
)
def test_values_out_of_range_are_refused(searched: Path, words: tuple[str, ...], said: str) -> None:
    done = nasbench("verify", str(searched), *words)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def test_sampling_rejects_a_file_without_rows(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "empty.h5") as writer:
        writer.put_run(blank_run())
    with Results(str(tmp_path / "empty.h5")) as results, pytest.raises(InputError, match="it has no rows"):
        draw_sample(results, 1, 0)


def test_rows_of_a_brand_of_processors_are_not_compared_to_the_bit(searched: Path, tmp_path: Path) -> None:
    """Earlier versions kept the brand, e.g. AMD EPYC, whose processors give several bits."""
    versions = ("torch", "torchvision", "numpy")
    coarse = "; ".join(["AMD EPYC", *(f"{name} {version(name)}" for name in versions)])
    changed = copied(searched, tmp_path / "old.h5", lambda row: row | {"platform": coarse})
    done = nasbench("verify", str(changed), "--sample", "2")
    assert done.code == 0, done.out
    assert "processor unknown ('AMD EPYC' names a brand" in done.out
    assert done.out.count("made elsewhere") == 1
    assert "bit for bit" not in done.out
    assert "2 of 2 rows agree within 0.15 in accuracy" in done.out


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "platform", ["", "; ; ;", "a;b; ;; x", "portable x86_64", "unknown arm64 processor; computation 2"]
)
def test_rows_of_an_odd_platform_are_compared_by_the_tolerance(searched: Path, tmp_path: Path, platform: str) -> None:
    changed = copied(searched, tmp_path / "odd.h5", lambda row: row | {"platform": platform})
    done = nasbench("verify", str(changed), "--sample", "1")
    assert done.code == 0, done.out + done.err
    assert "1 of 1 rows agree within 0.15 in accuracy" in done.out


def test_rows_of_an_unknown_processor_are_not_compared_to_the_bit(
    searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that does not tell its processor looks like every other that does not."""
    from nasbench.kernels import platform as module
    from nasbench.kernels.processor import parse_cpuinfo
    from nasbench.training.verify import check_rows

    monkeypatch.setattr(module, "processor_here", lambda: parse_cpuinfo(""))
    module.platform_here.cache_clear()
    line = module.platform_here()
    changed = copied(searched, tmp_path / "unknown.h5", lambda row: row | {"platform": line})
    with Results(str(changed)) as results:
        check = next(iter(check_rows(results, draw_sample(results, 1, 0).rows)))
    module.platform_here.cache_clear()
    assert check.rule == "tolerance"
    assert "different processors may be called so" in check.elsewhere[0]


def test_rows_of_another_model_of_processor_are_compared_by_the_tolerance(searched: Path, tmp_path: Path) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"platform": row["platform"].replace(" stepping ", " stepping 9")}

    done = nasbench("verify", str(copied(searched, tmp_path / "other.h5", change)), "--sample", "1")
    assert done.code == 0, done.out
    assert "made elsewhere: processor " in done.out
    assert "bit for bit" not in done.out


@pytest.mark.slow
def test_portable_rows_of_other_versions_are_compared_to_the_bit(tmp_path: Path) -> None:
    fields = {"data": "fake:images=96,size=8,classes=3", "epochs": 1, "filters": 4, "validation": 0.5}
    path = tmp_path / "portable.h5"
    search(tiny_plan(set={**fields, "kernels": "portable"}, budget="2 children"), path)
    assert nasbench("verify", str(copied(path, tmp_path / "other.h5", elsewhere)), "--sample", "9").code == 0

    def change(row: dict[str, Any]) -> dict[str, Any]:
        return elsewhere(row) | {"val_loss": with_last_bit(row["val_loss"])}

    done = nasbench("verify", str(copied(path, tmp_path / "changed.h5", change)), "--sample", "9")
    assert done.code == 1
    assert "DIFFERS: val_loss" in done.out


@pytest.mark.slow
def test_portable_rows_are_compared_by_the_tolerance_where_golden_trainings_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nasbench.training import golden
    from nasbench.training.verify import check_rows

    fields = {"data": "fake:images=96,size=8,classes=3", "epochs": 1, "filters": 4, "validation": 0.5}
    path = tmp_path / "portable.h5"
    search(tiny_plan(set={**fields, "kernels": "portable"}, budget="1 children"), path)
    monkeypatch.setattr(golden, "golden_here", lambda: False)
    with Results(str(path)) as results:
        check = next(iter(check_rows(results, draw_sample(results, 1, 0).rows)))
    assert check.rule == "tolerance"
    assert "golden trainings" in check.elsewhere[0]


def test_rows_of_earlier_networks_are_trained_again_with_them(tmp_path: Path) -> None:
    """Scores of nasbench201 from before its networks were the benchmark's are verified with the networks of their time."""
    config = tiny_plan(space="nasbench201", budget="2 children", stream="seed").config
    old = plan_search(config, 1)
    assert old.fingerprint != plan_search(config).fingerprint
    search(old, tmp_path / "old.h5")
    done = nasbench("verify", str(tmp_path / "old.h5"), "--sample", "9")
    assert done.code == 0, done.out + done.err
    assert "3 of 3 rows agree bit for bit" in done.out
    new = plan_search(config)
    changed = copied(tmp_path / "old.h5", tmp_path / "new.h5", lambda row: row | {"fingerprint": new.fingerprint})
    assert nasbench("verify", str(changed), "--sample", "9").code == 1


def test_rows_of_data_that_were_provided_before_are_refused(searched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nasbench.data import load_data, provide_data
    from nasbench.training.verify import check_rows

    monkeypatch.setattr("nasbench.data._provided", {})
    with Results(str(searched)) as results:
        rows = draw_sample(results, 1, 0).rows
        assert next(iter(check_rows(results, rows))).rule == "bits"
        provide_data("fake:images=96,size=8,classes=3", load_data("fake:images=96,size=8,classes=3,seed=1"))
        with pytest.raises(InputError, match="the protocol or its data changed"):
            next(iter(check_rows(results, rows)))
