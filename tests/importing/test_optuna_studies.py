"""Studies of Optuna, as its storages have them, become runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from search_log_files import OPERATIONS, Told, options, write_journal, write_sqlite

from nasbench.spaces import get_space
from nasbench.store.query import Results

SPACE = get_space("nasbench201")
TRIALS = [
    Told(options(0, 0, 0, 3), [0.8], reports={1: 0.5, 2: 0.8}, times=(0, 100), attributes={"test": 0.75, "ms": 3.5}),
    Told(options(0, 0, 0, 2), state="PRUNED", reports={1: 0.2}, times=(10, 40)),
    Told(options(0, 0, 0, 1), state="FAIL", times=(20, 30)),
    Told(options(0, 0, 0, 3), [0.85], reports={1: 0.6, 2: 0.85}, times=(50, 160), attributes={"test": 0.7, "ms": 3.5}),
    Told(options(0, 1), state="WAITING"),
]
NB201 = ("--space", "nasbench201", "--architecture", "e0,e1,e2,e3,e4,e5", "--value", "val_acc", "--data", "cifar10")


def imported(path: str, folder: Path, *words: str, code: int = 0) -> str:
    found = nasbench("import", "optuna", path, "-o", str(folder / "o.h5"), *words)
    assert found.code == code, found.err
    return found.out if code == 0 else found.err


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, Results]:
    results = Results(folder / "o.h5")
    return results.frame(), results.runs(), results


@pytest.mark.parametrize("kind", ["sqlite", "journal", "cut journal", "sqlite of version 2"])
def test_a_study_is_a_run_with_all_its_trials(kind: str, tmp_path: Path) -> None:
    studies = {"tpe": TRIALS, "other": TRIALS[:1]}
    if kind.startswith("sqlite"):
        path = write_sqlite(tmp_path / "s.db", studies, old="version" in kind)
    else:
        path = write_journal(tmp_path / "s.log", studies, cut="cut" in kind)
    printed = imported(path, tmp_path, *NB201, "--run-seed", "7", "--map", "test_acc=test")
    assert "5 trials read, 5 stored: 1 failed, 1 unfinished, 3 ok" in printed
    frame, runs, results = read(tmp_path)
    assert runs[["strategy", "seed", "children"]].to_numpy().tolist() == [["tpe", 7, 4], ["other", 7, 1]]
    mine = frame[(frame["strategy"] == "tpe") & (frame["stage"] == "search")]
    # In the order of the outcomes: trial 2 ended first, trial 3 last.
    assert mine["index"].tolist() == [2, 1, 0, 3]
    assert mine["asked"].tolist() == [3, 3, 4, 4]
    assert mine["status"].tolist() == ["failed", "unfinished", "ok", "ok"]
    assert mine["error"].tolist()[1] == "pruned at step 1 (value 0.2)"
    np.testing.assert_array_equal(mine["val_acc"], [np.nan, np.nan, 0.8, 0.85])
    assert mine["device_seconds"].tolist() == [10, 30, 100, 110]
    assert mine["wall_seconds"].tolist() == [30, 40, 100, 160]
    np.testing.assert_allclose(mine["spent_gpu_hours"] * 3600, [10, 40, 140, 250])
    assert mine["duplicate"].tolist() == [False, False, False, True]
    assert mine["hash"].iloc[2] == SPACE.decode([0, 0, 0, 3, 0, 0]).hash
    final = frame[(frame["strategy"] == "tpe") & (frame["stage"] == "final")]
    assert final["test_acc"].tolist() == [0.75, 0.7]
    curves = results.all_curves()
    curves = curves[(curves["run"] == runs["run"][0]) & (curves["stage"] == "search")]
    assert curves.groupby("index")["val_acc"].apply(list).to_dict() == {0: [0.5, 0.8], 1: [0.2], 3: [0.6, 0.85]}
    about = json.loads(runs["config"][0])["import"]
    assert about["children_at_once"] == 3
    assert about["not_known"] == ["the seconds of the strategy itself"]
    assert "sound" in nasbench("check", str(tmp_path / "o.h5")).out


def test_a_study_without_a_meaning_is_judged_by_its_own_value(tmp_path: Path) -> None:
    trials = [Told(options(place), [loss], times=(place, place + 1)) for place, loss in enumerate((2.5, 1.5, 3.0))]
    path = write_sqlite(tmp_path / "s.db", {"lm": trials}, directions=["MINIMIZE"], attributes={"seed": 4})
    imported(path, tmp_path)
    frame, runs, _ = read(tmp_path)
    assert runs["space"].tolist() == ["choices:5/5/5/5/5/5"]
    assert runs["seed"].tolist() == [4]
    assert frame["reward"].tolist() == [-2.5, -1.5, -3.0]
    assert json.loads(runs["config"][0])["score"] == {"name": "value", "direction": "lower"}
    assert json.loads(runs["config"][0])["import"]["options"]["e0"] == list(OPERATIONS)
    found = nasbench("compare", str(tmp_path / "o.h5"), "--allow", "baseline", "-o", str(tmp_path / "c.png"))
    assert found.code == 0, found.err
    assert "value, median" in found.out
    assert "1.5 (n=1)" in found.out
    best = pd.read_csv(tmp_path / "c.csv")
    assert best[best["measure"] == "val_acc"]["median"].tolist() == [2.5, 1.5, 1.5]


def test_further_objectives_are_quantities(tmp_path: Path) -> None:
    trials = [Told({"a": place}, [0.5 + place / 10, 10.0 - place]) for place in range(3)]
    path = write_sqlite(tmp_path / "s.db", {"two": trials}, choices=[16, 32, None], directions=["MAXIMIZE", "MINIMIZE"])
    imported(path, tmp_path, "--map", "latency[device=phone]:ms:lower=absent")
    _, runs, results = read(tmp_path)
    rows = results.measurements()
    assert runs["space"].tolist() == ["choices:3"]
    assert rows[rows["quantity"] == "value0"]["value"].tolist() == [0.5, 0.6, 0.7]
    assert rows[rows["quantity"] == "value1"]["value"].tolist() == [10.0, 9.0, 8.0]
    found = nasbench("pareto", str(tmp_path / "o.h5"), "--objectives", "value0,value1", "-o", str(tmp_path / "p.png"))
    assert found.code == 0, found.err


def test_trials_without_times_keep_their_order_and_say_what_is_not_known(tmp_path: Path) -> None:
    trials = [Told(options(place), [0.1 * place]) for place in range(4)]
    imported(write_sqlite(tmp_path / "s.db", {"s": trials}), tmp_path, "--value", "val_acc")
    frame, runs, _ = read(tmp_path)
    assert frame["index"].tolist() == [0, 1, 2, 3]
    assert frame["spent_gpu_hours"].isna().all()
    assert np.isnan(runs["training_hours"][0])
    said = nasbench("compare", str(tmp_path / "o.h5"), "--by", "children", "--allow", "baseline").out
    assert "Not known of imported searches (1 of s): what children cost." in said
    assert "Not known of imported searches (1 of s): how many children were in training at once." in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--value", "val_error"), "the study's first objective is to be maximized"),
        (("--value", "accuracy"), "what the trials' values are is val_acc"),
        (("--study", "nope"), "'nope'"),
        (("--architecture", "e0,e9"), "'e9'"),
        (("--space", "nasbench201", "--architecture", "e0,e1"), "give one per decision"),
        (("--map", "test_acc=test", "--space", "choices:5/5"), "decisions"),
    ],
)
def test_what_does_not_fit_is_one_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    path = write_sqlite(tmp_path / "s.db", {"tpe": TRIALS})
    error = imported(path, tmp_path, *words, code=2)
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "o.h5").exists()


@pytest.mark.parametrize(
    "text", [b"nothing\n", b"SQLite format 3\0 but broken", b'{"op_code": 6, "trial_id": 3}\n', b""]
)
def test_a_file_that_is_no_storage_is_one_line(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(text)
    error = imported(str(tmp_path / "s.db"), tmp_path, code=2)
    assert str(tmp_path / "s.db") in error
    assert error.count("\n") == 1


def test_real_optuna_writes_what_is_read(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = f"sqlite:///{tmp_path / 's.db'}"
    study = optuna.create_study(storage=storage, study_name="real", direction="maximize")
    study.optimize(lambda trial: trial.suggest_categorical("a", ["x", "y"]) == "x", n_trials=5)
    imported(str(tmp_path / "s.db"), tmp_path, "--value", "val_acc")
    frame, _, _ = read(tmp_path)
    assert frame["val_acc"].tolist() == [trial.value for trial in study.trials]
