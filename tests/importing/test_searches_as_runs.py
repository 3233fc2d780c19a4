"""Search logs in CSV and JSON as runs: --as-run, with the forms of HpBandSter, NASLib, archai and NAS-Bench-301."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from search_log_files import write_hpbandster

from nasbench.store.query import Results
from nasbench.tabular.importers.json_tables import read_json_table


def imported(kind: str, path: Path | str, folder: Path, *words: str, code: int = 0) -> str:
    found = nasbench("import", kind, str(path), "-o", str(folder / "r.h5"), "--as-run", *words)
    assert found.code == code, found.err
    if code == 0:
        assert "sound" in nasbench("check", str(folder / "r.h5")).out
    return found.out if code == 0 else found.err


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    with Results(folder / "r.h5") as results:
        return results.frame(), results.runs(), results.all_curves()


def maps(*pairs: str) -> list[str]:
    return [word for pair in pairs for word in ("--map", pair)]


LOG = """algo,seed,step,cell,acc,secs,limit
rs,0,0,000,0.5,10,3 children
rs,0,1,010,0.7,20,3 children
rs,0,2,000,0.6,30,3 children
rs,1,0,011,0.4,10,3 children
evo,0,1,111,0.9,15,3 children
evo,0,0,001,0.3,25,3 children
"""
OF_LOG = maps(
    *("strategy=algo", "run_seed=seed", "index=step", "architecture=cell", "val_acc=acc", "device_seconds=secs"),
    "budget=limit",
)


def test_searches_that_are_not_told_apart_are_refused(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    mapped = maps("strategy=algo", "seed=seed", "index=step", "architecture=cell", "val_acc=acc")
    message = imported("csv", tmp_path / "log.csv", tmp_path, "--space", "choices:2/2/2", *mapped, code=2)
    assert "index 0 is that of 2 trials" in message
    assert message.endswith("map what tells them apart: --map run_seed=COLUMN or --map run=COLUMN\n")


def test_one_run_per_strategy_and_seed_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    printed = imported("csv", tmp_path / "log.csv", tmp_path, "--space", "choices:2/2/2", *OF_LOG)
    assert "6 trials read, 6 stored: 6 ok" in printed
    frame, runs, _ = read(tmp_path)
    assert runs[["strategy", "seed", "children", "budget"]].to_numpy().tolist() == [
        ["rs", 0, 3, "3 children"],
        ["rs", 1, 1, "3 children"],
        ["evo", 0, 2, "3 children"],
    ]
    assert frame[frame["strategy"] == "evo"]["val_acc"].tolist() == [0.3, 0.9]  # by the index, not by the line
    first = frame[frame["run"] == runs["run"][0]]
    assert first["duplicate"].tolist() == [False, False, True]
    np.testing.assert_allclose(first["spent_gpu_hours"] * 3600, [10, 30, 60])
    assert set(frame["stage"]) == {"search"}


@pytest.mark.slow
def test_analyses_take_imported_searches_as_ours(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    imported("csv", tmp_path / "log.csv", tmp_path, "--space", "choices:2/2/2", *OF_LOG)
    for command in (["compare", "--by", "children"], ["regret"], ["targets", "--target", "0.6"], ["cost"]):
        name, *words = command
        allowed = ("--allow", "baseline", "--allow", "children")
        found = nasbench(name, str(tmp_path / "r.h5"), *words, *allowed, "-o", str(tmp_path / f"{name}.png"))
        assert (found.code, found.err) == (0, ""), (name, found.err)
    assert nasbench("report", str(tmp_path / "r.h5"), "--allow", "baseline", "-o", str(tmp_path / "r.html")).code == 0


def test_runs_of_one_strategy_and_seed_are_told_apart_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("run,cell,acc\na,00,0.5\na,01,0.6\nb,10,0.7\n")
    of = maps("run=run", "architecture=cell", "val_acc=acc")
    imported("csv", tmp_path / "log.csv", tmp_path, "--space", "choices:2/2", "--set", "strategy=bo", *of)
    _, runs, _ = read(tmp_path)
    assert runs["children"].tolist() == [2, 1]
    assert runs["run"].nunique() == 2
    assert runs["seed"].tolist() == [-1, -1]


def test_columns_of_searches_need_as_run_and_a_strategy(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    words = ("import", "csv", str(tmp_path / "log.csv"), "-o", str(tmp_path / "r.h5"), "--space", "choices:2/2/2")
    found = nasbench(*words, *OF_LOG)
    assert found.code == 2
    assert "strategy is of a search and not of a table: give --as-run" in found.err
    assert "which strategy made the search?" in imported(
        "csv", tmp_path / "log.csv", tmp_path, "--space", "choices:2/2/2", *maps("architecture=cell"), code=2
    )
    text = LOG.replace("3 children", "many")
    (tmp_path / "log.csv").write_text(text)
    assert "budget 'many'" in imported(
        "csv", tmp_path / "log.csv", tmp_path, "--space", "choices:2/2/2", *OF_LOG, code=2
    )


def test_hpbandster_is_one_child_per_configuration(tmp_path: Path) -> None:
    configs = {
        number: {"op1": op, "op2": "skip", "lr": 0.1} for number, op in enumerate(("conv", "none", "conv", "none"))
    }
    results = [
        (0, 1.0, 0, 10, 0.5, None),
        (1, 1.0, 10, 20, 0.6, None),
        (2, 1.0, 20, 30, None, "Traceback: boom"),
        (0, 3.0, 30, 60, 0.4, None),
        (3, 1.0, 60, 70, 0.7, None),
        (0, 9.0, 70, 160, 0.3, None),
    ]
    path = write_hpbandster(tmp_path / "log", results, configs)
    printed = imported(
        *("json", path, tmp_path, "--space", "choices", "--set", "strategy=bohb", "--set", "run_seed=1"),
        *maps("architecture=config.op1,config.op2", "trial=config_id", "resource=budget", "val_error=loss"),
        *maps("started=started", "finished=finished", "error=exception"),
    )
    assert "2 of 4 trials of bohb ended before the most that one was trained (9)" in printed
    frame, runs, curves = read(tmp_path)
    assert runs[["strategy", "seed", "space", "children"]].to_numpy().tolist() == [["bohb", 1, "choices:2/1", 4]]
    assert frame.set_index("index")["status"].to_dict() == {0: "ok", 1: "unfinished", 2: "failed", 3: "unfinished"}
    whole = frame[frame["index"] == 0].iloc[0]
    assert (whole["val_acc"], whole["epochs"], whole["device_seconds"]) == (0.7, 9, 130.0)
    assert frame[frame["index"] == 2]["error"].tolist() == ["Traceback: boom"]
    course = curves[curves["index"] == 0]["val_acc"].to_numpy()
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(course)), [0, 2, 8])
    assert json.loads(runs["config"][0])["import"]["options"]["config.op1"] == ["conv", "none"]


def test_naslib_has_scores_and_no_architectures(tmp_path: Path) -> None:
    scores = {
        "valid_acc": [40.0, 60.0, 55.0],
        "train_time": [9.0, 8.0, 7.0],
        "test_loss": [-1, -1, -1],
        "arch_eval": [],
    }
    (tmp_path / "errors.json").write_text(json.dumps([{"seed": 2, "dataset": "cifar10"}, {**scores, "params": 0.5}]))
    printed = imported(
        *("json", tmp_path / "errors.json", tmp_path, "--space", "choices", "--set", "strategy=re"),
        *maps("run_seed=config.seed", "data=config.dataset", "val_acc=valid_acc", "device_seconds=train_time"),
        *("--percent", "val_acc"),
    )
    assert "the source does not name architectures" in printed
    frame, runs, _ = read(tmp_path)
    assert frame["val_acc"].tolist() == [0.4, 0.6, 0.55]
    assert frame["hash"].nunique() == 3
    assert runs[["seed", "data"]].to_numpy().tolist() == [[2, "cifar10"]]


def test_archai_names_architectures_by_texts(tmp_path: Path) -> None:
    (tmp_path / "state.csv").write_text(
        "archid,acc,lat,iteration_num,Search walltime (hours)\nb,0.5,9,0,0.5\na,0.6,8,0,0.5\nb,0.5,9,1,1.5\n"
    )
    imported(
        *("csv", tmp_path / "state.csv", tmp_path, "--space", "choices", "--set", "strategy=evo"),
        *maps("architecture=archid", "val_acc=acc", "latency:ms:lower=lat", "wall_seconds=Search walltime (hours)"),
        *("--scale", "wall_seconds=3600"),
    )
    frame, runs, _ = read(tmp_path)
    assert runs["space"].tolist() == ["choices:2"]
    assert frame["choices"].tolist() == ["[1]", "[0]", "[1]"]
    assert frame["wall_seconds"].tolist() == [1800, 1800, 5400]
    with Results(tmp_path / "r.h5") as results:
        assert results.measurements()["value"].tolist() == [9, 8, 9]


def test_a_folder_of_records_with_curves(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    for number in range(3):
        record = {"val": {"acc": [0.5, 0.6 + number / 10]}, "test_accuracy": 0.5, "choices": [number, 0]}
        (tmp_path / "log" / f"results_{number}.json").write_text(json.dumps(record))
    imported(
        *("json", tmp_path / "log", tmp_path, "--space", "choices:3/1", "--set", "strategy=rs"),
        *maps("architecture=choices", "val_acc_curve=val.acc", "test_acc=test_accuracy", "run=file"),
    )
    frame, runs, curves = read(tmp_path)
    assert len(runs) == 3
    np.testing.assert_allclose(frame[frame["stage"] == "search"]["val_acc"], [0.6, 0.7, 0.8])
    assert curves[curves["stage"] == "search"].groupby("run").size().tolist() == [2, 2, 2]


def test_epochs_in_long_form_are_trials_with_curves(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("t,cell,e,acc\n0,00,1,0.5\n0,00,2,0.6\n1,00,1,0.7\n2,01,1,0.4\n2,01,2,0.8\n")
    of = maps("trial=t", "architecture=cell", "epoch=e", "val_acc=acc")
    imported("csv", tmp_path / "log.csv", tmp_path, "--space", "choices:2/2", "--set", "strategy=hb", *of)
    frame, _, curves = read(tmp_path)
    assert frame["status"].tolist() == ["ok", "unfinished", "ok"]
    np.testing.assert_array_equal(frame["val_acc"], [0.6, np.nan, 0.8])
    assert len(curves) == 5


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ([{"a": 1}, {"a": 2, "b": {"c": 3}}], [{"a": 1, "b.c": None}, {"a": 2, "b.c": 3}]),
        ({"a": [1, 2], "b": [3, 4], "c": 5}, [{"a": 1, "b": 3, "c": 5}, {"a": 2, "b": 4, "c": 5}]),
        ({"x": {"a": 1}, "y": {"a": 2}}, [{"key": "x", "a": 1}, {"key": "y", "a": 2}]),
        ({"a": 1, "curve": [1, 2]}, [{"a": 1, "curve": [1, 2]}]),
    ],
)
def test_forms_of_json(content: Any, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps(content))
    table = read_json_table(str(tmp_path / "t.json"))
    assert [dict(zip(table.names, row)) for row in zip(*table.columns)] == rows


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_one_training_with_lists_is_one_row(lines: int, tmp_path: Path) -> None:
    """Six choices and six latencies are no table of six rows: the score is one number."""
    each = [{"arch": [at, 1, 2, 3, 4, 0], "latencies": [1.0] * 6, "acc": 0.5 + at / 10} for at in range(lines)]
    (tmp_path / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in each))
    table = read_json_table(str(tmp_path / "t.jsonl"), ["arch", "acc"])
    assert (table.column("arch"), table.column("acc")) == ([row["arch"] for row in each], [row["acc"] for row in each])


def test_columns_with_one_seed_for_all_rows_are_a_table(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps({"arch": ["a", "b"], "acc": [0.5, 0.6], "seed": 3}))
    table = read_json_table(str(tmp_path / "t.json"), ["arch", "acc"])
    assert (table.column("arch"), table.column("seed")) == (["a", "b"], [3, 3])


def test_lines_of_json(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    assert read_json_table(str(tmp_path / "t.jsonl")).column("a") == [1, 2]


@pytest.mark.parametrize("text", ["", "[1, 2]", "5", '{"a": ', '{"a": 1}\n{"a": ', "[" * 100_000])
def test_json_that_is_no_table_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(text)
    words = ("--space", "choices:2", "--set", "strategy=x")
    error = imported("json", tmp_path / "t.json", tmp_path, *words, code=2)
    assert error.count("\n") == 1
    assert "t.json" in error
