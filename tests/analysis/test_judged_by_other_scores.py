"""Analyses of runs that are judged by another score than accuracy: its unit, its direction, and no accuracy 0."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from commands import nasbench

import nasbench as suite
from nasbench.analysis.report.payload import finals
from nasbench.analysis.report.tables import cost_table
from nasbench.cli.model_sources import _child_of
from nasbench.errors import InputError
from nasbench.scores import ACCURACY, Score, judged_by, judging
from nasbench.store.judged import LOSS, judge, score_of_runs
from nasbench.store.query import Results
from nasbench.tabular.tables import read_table

PERPLEXITY = Score("perplexity", "", "", "lower")
LATENCY = Score("latency", "", "ms", "lower")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of nine architectures with SSIM, perplexity, accuracy and latency, and searches of it."""
    where = tmp_path_factory.mktemp("scores")
    lines = ["arch,ssim,tssim,ppl,acc,lat,params,secs"]
    for place in range(9):
        ssim, first, second = 0.2 + place / 20, place // 3, place % 3
        numbers = [ssim, ssim - 0.01, 40 - place, 0.5 + place / 100, 3 + (place * 5) % 9, 100 + place, 10]
        lines.append(f"{first}{second}," + ",".join(map(str, numbers)))
    (where / "t.csv").write_text("\n".join(lines))
    common = ("--map", "architecture=arch", "--map", "params=params", "--map", "device_seconds=secs", "--set", "seed=0")
    quantities = ("val_ssim::higher=ssim", "test_ssim::higher=tssim", "perplexity::lower=ppl")
    maps = [word for pair in (*quantities, "latency[device=phone]:ms:lower=lat") for word in ("--map", pair)]
    run("import", "csv", f"{where}/t.csv", "-o", f"{where}/t.h5", "--space", "choices:3/3", *common, *maps)
    run(
        "import",
        "csv",
        f"{where}/t.csv",
        "-o",
        f"{where}/a.h5",
        "--space",
        "choices:3/3",
        *common,
        *maps[2:],
        "--map",
        "val_acc=acc",
    )
    for score, name in (("val_acc", "ssim"), ("perplexity", "ppl"), ("latency[device=phone]", "lat")):
        words = ("--strategy", "random", "--strategy", "evolution:population=3,sample=2", "--seeds", "6", "-y", score)
        run("replay", "--table", f"{where}/t.h5", *words, "--budget", "5 children", "-o", f"{where}/{name}.h5")
    return where


def run(*words: str) -> str:
    found = nasbench(*words)
    assert (found.code, found.err.count("Traceback")) == (0, 0), (words, found.err)
    return found.out


def numbers_of(path: Path, name: str) -> np.ndarray:
    with Results(path) as results:
        frame = results.frame()
    return frame[frame["stage"] == "search"][name].to_numpy(dtype=float)


def test_replays_store_the_score_as_reward_and_measurement(folder: Path) -> None:
    assert np.isnan(numbers_of(folder / "ppl.h5", "val_acc")).all()
    rewards = numbers_of(folder / "ppl.h5", "reward")
    assert rewards.min() >= -40
    assert rewards.max() <= -32
    with Results(folder / "ppl.h5") as results:
        rows, runs = results.measurements(), results.runs()
    assert set(rows["quantity"]) == {"perplexity"}
    assert rows["value"].between(32, 40).all()
    assert score_of_runs(runs["config"]) == PERPLEXITY
    for name in ("ssim", "ppl", "lat"):
        assert "sound" in run("check", str(folder / f"{name}.h5"))


def test_a_search_minimizes_where_the_direction_says_so(folder: Path) -> None:
    found = suite.replay(folder / "t.h5", "random", seeds=30, budget="9 children", score="perplexity", progress=False)
    assert found.table.score == PERPLEXITY
    whole = found.choices[found.choices["children"] == 9]
    assert whole["outcome"].min() == 32
    assert (found.summary["best"] == 32).all()
    assert found.regret()["mean"].iloc[-1] >= 0
    # Strategies receive places between the worst and the best, which gradients can take.
    np.testing.assert_allclose(found.table.rewards(np.array([-40.0, -36.0, -32.0, np.nan])), [0, 0.5, 1, 0])
    assert found.plot().axes[0].get_ylabel() == "regret of perplexity"


@pytest.mark.slow
def test_the_regret_axis_says_which_score_it_is_of(folder: Path) -> None:
    for name, label in (("t.h5", "regret of test_ssim"), ("a.h5", "validation regret (percentage points)")):
        found = suite.replay(folder / name, "random", seeds=3, budget="5 children", progress=False)
        assert found.plot().axes[0].get_ylabel() == label


def test_a_vectorized_search_equals_one_by_one_on_any_score(folder: Path) -> None:
    from nasbench.runners.replay.replay import ReplayBudget, Setting, replay, replay_one_by_one
    from nasbench.runners.search.budget import Budget

    table = read_table(folder / "t.h5", score="latency[device=phone]")
    setting, budget = (
        Setting.of("evolution", {"population": "3", "sample": "2"}),
        ReplayBudget(Budget.parse("6 children")),
    )
    one, many = (each(table, setting, range(4), budget) for each in (replay_one_by_one, replay))
    np.testing.assert_array_equal(one.codes, many.codes)


def test_accuracies_are_judged_as_before(folder: Path) -> None:
    assert judged_by() == ACCURACY
    table = read_table(folder / "a.h5")
    assert table.score == ACCURACY
    np.testing.assert_array_equal(table.rewards(np.array([0.5, np.nan])), [0.5, 0.0])


def test_compare_prints_and_saves_the_score_itself(folder: Path, tmp_path: Path) -> None:
    printed = run("compare", str(folder / "ppl.h5"), "--by", "children", "-o", str(tmp_path / "c.png"))
    assert "perplexity, median" in printed
    assert "%" not in printed.split("perplexity, median")[0]
    saved = pd.read_csv(tmp_path / "c.csv")
    saved = saved[saved["measure"] == "val_acc"]
    assert (saved["low"] <= saved["median"]).all()
    assert (saved["median"] <= saved["high"]).all()
    assert saved["median"].between(32, 40).all()
    course = saved[saved["strategy"] == "random"].sort_values("budget")["median"]
    assert (course.diff().dropna() <= 0).all()
    comparison = suite.compare(folder / "ppl.h5", by="children")
    assert comparison.table["val_acc"].between(32, 40).all()
    assert comparison.figure.axes[0].get_ylabel() == "perplexity (lower is better)"
    assert judged_by() == ACCURACY


@pytest.mark.slow
def test_a_difference_of_lower_scores_has_their_sign(folder: Path) -> None:
    printed = run("compare", str(folder / "lat.h5"), "--test", "--table-format", "text")
    with Results(folder / "lat.h5") as results:
        frame, runs = results.frame(), results.runs()
    best = -frame[frame["stage"] == "search"].groupby("run")["reward"].max()
    means = best.groupby(runs.set_index("run")["strategy"]).mean()
    (line,) = [line.split() for line in printed.splitlines() if line.split()[:2] == ["evolution", "random"]]
    assert float(line[2]) == pytest.approx(means["evolution"] - means["random"], abs=1e-3)
    assert "ms" in printed


def test_targets_of_lower_scores_are_reached_from_above(folder: Path, tmp_path: Path) -> None:
    run(
        "targets",
        str(folder / "ppl.h5"),
        "--target",
        "33",
        "--csv",
        str(tmp_path / "summary.csv"),
        "-o",
        str(tmp_path / "t.png"),
    )
    found = pd.read_csv(tmp_path / "summary.csv").set_index("strategy")
    with Results(folder / "ppl.h5") as results:
        frame = results.frame()
    reached = (
        (-frame[frame["stage"] == "search"].groupby(["strategy", "run"])["reward"].max() <= 33)
        .groupby("strategy")
        .sum()
    )
    assert found["reached"].to_dict() == reached.to_dict()
    printed = run("targets", str(folder / "ppl.h5"), "--share-of-best", "0.9", "--table", str(folder / "t.h5"))
    assert "90% of the best: 35.56, of 32, the table's optimum" in printed
    error = nasbench("targets", str(folder / "ppl.h5"), "--target", "nan")
    assert error.code == 2


def test_regret_starts_from_the_worst_and_not_from_accuracy_0(folder: Path, tmp_path: Path) -> None:
    words = ("--table", str(folder / "t.h5"), "--csv", str(tmp_path / "summary.csv"), "-o", str(tmp_path / "r.png"))
    printed = run("regret", str(folder / "lat.h5"), *words)
    assert "the worst latency of all children here before a run's first score" in printed
    found = pd.read_csv(tmp_path / "summary.csv")
    assert (found["optimum"] == 3).all()
    assert (found["mean"] >= 0).all()
    assert (found["mean"] <= 8).all()


@pytest.mark.slow
def test_a_score_may_be_named_for_runs_that_state_none(folder: Path, tmp_path: Path) -> None:
    run(
        "replay",
        "--table",
        f"{folder}/a.h5",
        "--strategy",
        "random",
        "--seeds",
        "5",
        "--budget",
        "4 children",
        "-o",
        f"{tmp_path}/a.h5",
    )
    merged = f"{tmp_path}/both.h5"
    run("merge", f"{tmp_path}/a.h5", f"{folder}/a.h5", "-o", merged)
    with Results(merged) as results:
        frame, runs, rows = results.frame(), results.runs(), results.measurements()
    with pytest.raises(InputError, match="not_there"):
        judge(frame, runs, rows, "not_there")
    judged, score = judge(frame, runs, rows, "perplexity")
    assert score == PERPLEXITY
    table = judged[judged["strategy"] == "table"]
    assert table["val_acc"].between(-40, -32).all()


def test_runs_of_different_scores_are_not_mixed(folder: Path) -> None:
    found = nasbench("compare", str(folder / "ppl.h5"), str(folder / "ssim.h5"))
    assert found.code == 2
    assert "these runs are judged by different scores: perplexity, val_ssim" in found.err


@pytest.mark.slow
def test_search_on_one_score_and_report_another(folder: Path, tmp_path: Path) -> None:
    """Data sets of one space, of which one is judged by accuracy and one by SSIM, as the tasks of TransNAS-Bench are."""
    both = f"{tmp_path}/both.h5"
    words = (
        "import",
        "csv",
        f"{folder}/t.csv",
        "--space",
        "choices:3/3",
        "--map",
        "architecture=arch",
        "--set",
        "seed=0",
    )
    run(
        *words,
        "--map",
        "val_acc=acc",
        "--map",
        "device_seconds=secs",
        "--set",
        "data=objects",
        "-o",
        f"{tmp_path}/o.h5",
    )
    maps = ("--map", "val_ssim::higher=ssim", "--map", "test_ssim::higher=tssim", "--map", "device_seconds=secs")
    run(*words, *maps, "--set", "data=images", "-o", f"{tmp_path}/i.h5")
    run("merge", f"{tmp_path}/o.h5", f"{tmp_path}/i.h5", "-o", both)
    output = f"{tmp_path}/r.h5"
    strategies = ("--strategy", "random", "--strategy", "evolution:population=3,sample=2")
    on = ("--search-on", "objects", "--report-on", "images", "--seeds", "6", "--budget", "5 children")
    printed = run("replay", "--table", both, *strategies, *on, "-o", output, "--plot", f"{tmp_path}/p.png")
    assert "test_ssim +- sd" in printed
    assert "best in the table of images: 0.59" in printed
    assert "sound" in run("check", output)
    assert "random" in run("ranks", output, "-y", "test_ssim")
    assert "validation %" in run("compare", output, "--by", "children", "-o", f"{tmp_path}/c.png")
    mixed = nasbench("compare", output, "-y", "test_ssim", "-o", f"{tmp_path}/m.png")
    assert mixed.code == 2
    assert "these searches were judged by another score than test_ssim" in mixed.err


@pytest.mark.slow
def test_reports_say_the_score(folder: Path, tmp_path: Path) -> None:
    text = run("report", str(folder / "ppl.h5"), "-f", "md")
    assert "best perplexity" in text
    assert "accuracy" not in text.split("### Comparison")[0]
    run("report", str(folder / "ppl.h5"), "-o", str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert '"score":{"accuracy":false,"unit":"","sign":-1' in page
    table = run("report", str(folder / "t.h5"), "-f", "md")
    assert "mean val_ssim 0.2 to 0.6" in table
    assert "lowest mean perplexity: 32" in run("table", "stats", str(folder / "t.h5"), "-y", "perplexity")


def test_the_data_of_a_page_keep_the_digits_of_small_scores() -> None:
    values = [0.00098121, 0.00097612, 3.2e-6, float("nan")]
    table = pd.DataFrame({"strategy": "random", "seed": range(4), "val_acc": values, "test_acc": values, "hash": "a"})
    with judging(Score("latency", "", "s", "lower")):
        assert finals(table, ["random"])["val"] == [0.00098121, 0.00097612, 3.2e-6, None]
    assert finals(table, ["random"])["val"] == [0.00098, 0.00098, 0.0, None]


def test_the_heading_of_a_target_has_the_unit_of_the_score() -> None:
    columns = (
        "strategy",
        "runs",
        "gpu_hours",
        "gpu_hours_low",
        "gpu_hours_high",
        "hours_per_child",
        "usd",
        "usd_per_child",
    )
    found = SimpleNamespace(cost=pd.DataFrame(columns=columns), devices=("cpu",), wishes=SimpleNamespace(target=0.3))
    headings = []
    for score in (LOSS, ACCURACY):
        with judging(score):
            headings.append(cost_table(found).columns[-1].heading)
    assert headings == ["To reach 0.3 nats, median", "To reach 30 %, median"]


def test_the_words_of_a_score() -> None:
    assert (ACCURACY.text(0.5), ACCURACY.axis("val_acc"), ACCURACY.points) == (
        "50.00",
        "validation accuracy (fraction)",
        "percentage points",
    )
    assert LATENCY.axis("val_acc") == "latency (ms, lower is better)"
    assert LATENCY.text(-3.25) == "3.25"
    assert LATENCY.apart(0.5) == "-0.5 ms"
    assert LATENCY.between(-2.0, 0.5) == "[-0.5, +2]"
    assert LATENCY.size(0.01, 3) == "0.01 ms"
    assert LATENCY.no_choice([-3.0, np.nan, -9.0]) == -9.0
    with judging(LATENCY):
        assert judged_by() is LATENCY
    frame = pd.DataFrame({"mean": [-3.0], "low": [-4.0], "high": [-2.0]})
    assert LATENCY.shown(frame, ["mean"], [("low", "high")]).iloc[0].tolist() == [3.0, 2.0, 4.0]


@pytest.mark.slow
def test_status_speedup_and_claims_know_the_score(folder: Path, tmp_path: Path) -> None:
    rows = [line.split() for line in run("status", str(folder / "ppl.h5")).splitlines() if " random " in line]
    bests = [float(row[-2]) for row in rows]
    with Results(folder / "ppl.h5") as results:
        frame = results.frame()
    mine = frame[(frame["strategy"] == "random") & (frame["stage"] == "search")]
    assert bests == (-mine.groupby("run", sort=False)["reward"].max()).tolist()
    run("speedup", str(folder / "ppl.h5"), "--by", "children", "--csv", str(tmp_path / "s.csv"))
    assert pd.read_csv(tmp_path / "s.csv")["target"].tolist() == [float(np.median(bests))]
    found = nasbench("claims", str(folder / "ppl.h5"))
    assert found.code == 2
    assert "claims are of accuracies, and these runs are judged by perplexity" in found.err


def test_the_best_child_of_a_file_is_the_best_by_its_score(folder: Path) -> None:
    """`FILE.h5:best` of searches that were judged by a perplexity has the lowest one, and has no accuracy at all."""
    path = str(folder / "ppl.h5")
    child, _ = _child_of(f"{path}:best", ())
    assert child is not None
    with Results([path]) as results:
        frame, _ = judge(results.frame(stage="search"), results.runs(), results.measurements(), "val_acc")
    means = frame.dropna(subset=["val_acc"])
    assert child["val_acc"].iloc[0] == means["val_acc"].max()  # oriented: the lowest perplexity
    assert means["val_acc"].nunique() > 1
