"""Fronts, volumes and attainment of two and three objectives, against what the definitions say, point by point."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.pareto.objective_plots import plot_objectives
from nasbench.analysis.pareto.objectives import (
    attainment,
    lost_note,
    nondominated,
    objective_front,
    objective_points,
    objective_volumes,
    parse_objectives,
    parse_reference,
    reference_point,
    reference_text,
    run_volumes,
    unknown_note,
)
from nasbench.analysis.plotting import saving
from nasbench.errors import InputError, UnknownName


def brute_front(values: np.ndarray) -> np.ndarray:
    """The definition: no other row is at most as large everywhere and smaller somewhere."""
    return np.array([not any((other <= row).all() and (other < row).any() for other in values) for row in values])


@pytest.mark.parametrize("columns", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_fronts_are_exact_with_ties(columns, seed):
    values = (
        np.random.default_rng(seed).integers(0, 9, size=(250, columns)).astype(float)
    )  # small: many ties and copies
    assert (nondominated(values) == brute_front(values)).all()


def test_no_points_have_no_front():
    assert nondominated(np.zeros((0, 3))).shape == (0,)


def points(seed: int = 0, runs: int = 5, children: int = 12) -> pd.DataFrame:
    """Made-up objectives of two strategies by run."""
    rng = np.random.default_rng(seed)
    rows = [
        (strategy, f"{strategy}{run}", f"{strategy}{run}{child}", "s", 1, *found)
        for strategy, gain in (("random", 0.0), ("ppo", 0.1))
        for run in range(runs)
        for child, found in enumerate(
            zip(
                rng.uniform(0.15, 0.9, children) - gain,
                10 ** rng.uniform(4, 6, children),
                10 ** rng.uniform(6, 8, children),
            )
        )
    ]
    return pd.DataFrame(rows, columns=["strategy", "run", "hash", "space", "n", "error", "params", "mult_adds"])


@pytest.mark.parametrize("objectives", [("error", "params"), ("error", "params", "mult_adds")])
def test_volumes_are_the_dominated_cells_of_the_grid_of_all_corners(objectives):
    data = points(runs=2, children=5)
    corner = reference_point(data, objectives)
    assert corner["error"] == 1
    assert corner["params"] == 1e6
    table = objective_volumes(data, objectives).set_index("strategy")
    for strategy in ("random", "ppo", "all"):
        mine = data if strategy == "all" else data[data["strategy"] == strategy]
        scaled = np.column_stack([np.log10(mine[name]) if name != "error" else mine[name] for name in objectives])
        bound = [np.log10(corner[name]) if name != "error" else corner[name] for name in objectives]
        edges = [np.unique([*column, end]) for column, end in zip(scaled.T, bound)]
        volume = 0.0
        for cell in itertools.product(*(range(len(axis) - 1) for axis in edges)):
            low = np.array([axis[place] for axis, place in zip(edges, cell)])
            if (scaled <= low).all(axis=1).any():
                volume += float(np.prod([axis[place + 1] - axis[place] for axis, place in zip(edges, cell)]))
        assert table.loc[strategy, "hypervolume"] == pytest.approx(volume)
        assert table.loc[strategy, "front"] == brute_front(mine[list(objectives)].to_numpy()).sum()


def test_points_beyond_the_reference_count_nothing():
    data = points()
    assert objective_volumes(data, ("error", "params"), {"error": 0.01, "params": 1e6})["hypervolume"].eq(0).all()
    with pytest.raises(InputError, match="must be positive"):
        objective_volumes(data, ("error", "params"), {"error": 1.0, "params": 0.0})


def test_volumes_of_runs_have_an_interval_from_five_runs_on():
    corner = {"error": 1.0, "params": 1e6}
    table = run_volumes(points(), ("error", "params"), corner).set_index("strategy")
    assert (table["low"] <= table["mean"]).all()
    assert (table["mean"] <= table["high"]).all()
    assert table.loc["ppo", "mean"] > table.loc["random", "mean"]
    again = run_volumes(points().query("strategy == 'ppo'"), ("error", "params"), corner).set_index("strategy")
    assert again.loc["ppo", "low"] == table.loc["ppo", "low"]  # whatever other strategies are there
    few = run_volumes(points(runs=4), ("error", "params"), corner)
    assert few["low"].isna().all()
    assert few["interval"].str.contains("n too small").all()


def test_an_interval_of_volumes_does_not_reach_below_0():
    apart = points(runs=5).query("strategy == 'ppo'")
    apart = apart.assign(error=apart["error"].where(apart["run"] == apart["run"].iloc[0], 0.9999))  # one run is good
    table = run_volumes(apart, ("error", "params"), {"error": 1.0, "params": 1e6})
    assert table["low"].tolist() == [0.0]
    assert table["interval"].str.endswith("bootstrap, cut at 0").all()


def test_a_quantity_of_which_more_is_better_is_drawn_as_it_is():
    data = points().assign(**{"-throughput": -np.arange(100.0, 100.0 + len(points()))})
    data.attrs["labels"] = {"-throughput": "throughput (images/s) (← higher is better)"}
    front = objective_front(data, ("error", "-throughput"))
    figure = plot_objectives(front, ("error", "-throughput"))
    ax = figure.axes[0]
    figure.draw_without_rendering()
    assert ax.get_xlabel() == "throughput (images/s) (← higher is better)"
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks
    assert not any("-" in text or "\u2212" in text for text in ticks)


@pytest.mark.parametrize("objectives", [("error", "-elbo"), ("-elbo", "params"), ("-elbo", "params", "error")])
def test_a_negative_quantity_of_which_more_is_better_keeps_its_sign(objectives):
    """Evidence lower bounds from -50 to -1 nats: their negatives are positive and span more than a decade, as errors may."""
    data = points().assign(**{"-elbo": np.geomspace(1.0, 50.0, len(points()))})
    data.attrs["labels"] = {"-elbo": "elbo (nats) (← higher is better)"}
    figure = plot_objectives(objective_front(data, objectives), objectives, attainment(data, objectives))
    figure.draw_without_rendering()
    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) if "elbo" in axis.get_label_text()]
    assert len(axes) >= 2
    for axis in axes:
        ticks = {axis.major.formatter(place): -place for place in axis.get_majorticklocs().tolist()}
        assert "-20" in ticks
        assert {text: float(text) for text in ticks} == pytest.approx(ticks)


@pytest.mark.parametrize("objectives", [("error", "params"), ("error", "params", "mult_adds")])
def test_attainment_is_what_so_many_runs_attain(objectives):
    data, names = points(runs=8, children=6), list(objectives)
    surfaces = attainment(data, objectives)
    assert set(surfaces["percent"]) == {25, 50, 75}
    rng = np.random.default_rng(1)
    for strategy in ("random", "ppo"):
        mine = data[data["strategy"] == strategy]
        runs = np.array([run[names].to_numpy() for _, run in mine.groupby("run")])  # [runs, children, objectives]
        probes = rng.uniform(runs.min(axis=(0, 1)), runs.max(axis=(0, 1)), size=(300, 1, 1, len(names)))
        attained = (runs <= probes).all(axis=3).any(axis=2).sum(axis=1)
        for percent in (25, 50, 75):
            chosen = (surfaces["strategy"] == strategy) & (surfaces["percent"] == percent)
            found = (surfaces.loc[chosen, names].to_numpy() <= probes[:, 0]).all(axis=2).any(axis=1)
            assert (found == (100 * attained >= percent * 8)).all()
            assert 0 < found.sum() < len(found)


def test_points_are_means_of_an_architectures_rows(make):
    rows = [{"run": run, "strategy": "random", "hash": "aa", "val_acc": acc, "params": 100, "mult_adds": 10, "gpu_hours": hours}
            for run, acc, hours in (("x", 0.8, 1.0), ("x", 0.9, 3.0), ("y", 0.6, 2.0))]  # fmt: skip
    frame = make.children([*rows, {**rows[0], "status": "diverged", "val_acc": float("nan")}])
    both = objective_points(frame, ("error", "gpu_hours"))
    assert both[["n", "error", "gpu_hours"]].to_numpy().tolist() == [[3, pytest.approx(0.7 / 3), 2.0]]
    single = objective_points(frame, ("error", "gpu_hours"), by_run=True)
    assert single["run"].tolist() == ["x", "y"]
    assert single["error"].tolist() == pytest.approx([0.15, 0.4])


def test_validation_seconds_per_epoch_are_those_of_one_pass(make):
    child = {"run": "x", "strategy": "random", "hash": "aa", "val_acc": 0.8, "eval_seconds": 2.0, "epochs": 4}
    found = objective_points(make.children([child]), ("error", "validation_seconds_per_epoch"))
    assert found["validation_seconds_per_epoch"].tolist() == [0.5]
    with pytest.raises(
        InputError, match=r"validation_seconds_per_epoch is not known of 1 of 1 children \(column eval_seconds"
    ):
        objective_points(make.children([{**child, "eval_seconds": 0.0}]), ("error", "validation_seconds_per_epoch"))


def test_rows_of_several_protocols_are_refused(make):
    frame, _, _ = make.frames(seeds=1, children=6, failure=0)
    frame.loc[0, "fingerprint"] = "beef" * 4
    with pytest.raises(InputError, match="not comparable; they differ in protocol"):
        objective_points(frame, ("error", "params"))


@pytest.mark.parametrize("text", ["error", "error,error", "error,params,usd,mult_adds", ""])
def test_two_or_three_objectives(text):
    with pytest.raises(InputError, match="two or three different ones"):
        parse_objectives(text)


def test_names_are_forgiving_about_hyphens_and_helpful_about_others():
    assert parse_objectives("error, mult-adds") == ("error", "mult_adds")
    with pytest.raises(UnknownName, match="did you mean 'params'"):
        parse_objectives("error,parms")


@pytest.mark.parametrize("text", ["1", "1,0", "1,x", "1,inf"])
def test_references(text):
    assert parse_reference("1,1e6", ("error", "params")) == {"error": 1.0, "params": 1e6}
    with pytest.raises(InputError, match="positive number for each of error, params"):
        parse_reference(text, ("error", "params"))


def test_a_reference_of_a_quantity_of_which_more_is_better_is_its_own_value():
    """Up to SSIM 0.2 and 100 mJ, a network of SSIM 0.7 and 10 mJ dominates 0.5 of SSIM times one decade of energy."""
    names = ("-val_ssim", "energy")
    corner = parse_reference("0.2,100", names)
    assert reference_text(corner) == "val_ssim 0.2, energy 100"
    points = pd.DataFrame({"strategy": "random", "hash": ["a", "b"], "-val_ssim": [-0.7, -0.1], "energy": [10.0, 1.0]})
    assert objective_volumes(points, names, corner).iloc[-1]["hypervolume"] == pytest.approx(0.5)
    assert reference_text(parse_reference("-50,100", ("-elbo", "energy"))) == "elbo -50, energy 100"
    assert reference_text(reference_point(points, names)) == "val_ssim 0.1, energy 100"
    with pytest.raises(InputError, match=r"each of val_ssim, energy \(any number for val_ssim\)"):
        parse_reference("0.2,-1", names)


@pytest.mark.parametrize("objectives", [("error", "params"), ("error", "params", "mult_adds"), ("params", "error")])
def test_pictures_show_every_point_of_the_front(make, objectives, tmp_path):
    frame, _, _ = make.frames(seeds=5, children=10)
    data = objective_front(objective_points(frame, objectives), objectives)
    surfaces = (
        attainment(objective_points(frame, objectives, by_run=True), objectives) if len(objectives) == 2 else None
    )
    figure = plot_objectives(data, objectives, surfaces, ["A note."])
    drawn = {
        tuple(point) for ax in figure.axes for scatter in ax.collections if hasattr(scatter, "get_offsets")
        for point in np.asarray(scatter.get_offsets()).round(9).tolist()
    }  # fmt: skip
    front = data[data["front"]][[objectives[1], objectives[0]]].to_numpy(dtype=float).round(9)
    assert {tuple(point) for point in front.tolist()} <= drawn
    assert saving.save_figure(figure, tmp_path / "front.png").stat().st_size > 10_000


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("objectives", [("error", "params"), ("params", "error")])
def test_one_point_has_an_axis_of_some_length(make, objectives):
    points = objective_points(make.frames(seeds=1, children=3)[0], objectives, by_run=True).head(1)
    figure = plot_objectives(objective_front(points, objectives), objectives, attainment(points, objectives), [])
    assert all(low < high for low, high in (ax.get_xlim() for ax in figure.axes))


@pytest.mark.parametrize("objectives", [("error", "params"), ("error", "params", "mult_adds")])
def test_pictures_of_nothing_say_so(make, objectives, tmp_path):
    frame, _, _ = make.frames(seeds=1, children=3)
    empty = objective_points(frame.iloc[:0], objectives)
    figure = plot_objectives(
        objective_front(empty, objectives), objectives, attainment(empty.assign(run=""), objectives)
    )
    saving.save_figure(figure, tmp_path / "front.svg")
    assert "No child finished with a score" in (tmp_path / "front.svg").read_text()


def test_a_great_many_dominated_points_are_thinned_and_the_front_is_not(tmp_path):
    rng = np.random.default_rng(2)
    count = 400_000
    data = pd.DataFrame(
        {"strategy": np.where(rng.random(count) < 0.5, "random", "ppo"), "hash": "h", "space": "s", "n": 1}
    )
    data["error"], data["params"] = rng.uniform(0.1, 0.9, count), 10 ** rng.uniform(4, 6, count)
    marked = objective_front(data, ("error", "params"))
    ax = plot_objectives(marked, ("error", "params")).axes[0]
    drawn = sorted((len(scatter.get_offsets()) for scatter in ax.collections), reverse=True)
    assert 50_000 < drawn[0] <= 120_000
    assert sum(drawn[1:]) == marked["strategy_front"].sum()


def test_runs_without_a_score_have_an_empty_front(make):
    """Their volume is 0 and they attain nothing: else a strategy that crashes often would look like its best runs."""
    frame, _, _ = make.frames(strategies=("random", "ppo"), children=12, seeds=6, failure=0.0)
    frame = frame.assign(hash=[f"{place:032x}" for place in range(len(frame))])
    names = ("error", "params")
    whole, lost = (
        objective_points(frame, names, by_run=True),
        sorted(frame.loc[frame["strategy"] == "ppo", "run"].unique())[:3],
    )
    frame.loc[frame["run"].isin(lost), "status"] = "diverged"
    points = objective_points(frame, names, by_run=True)
    corner = reference_point(whole, names)
    before, after = (run_volumes(each, names, corner).set_index("strategy") for each in (whole, points))
    assert after["runs"].tolist() == [6, 6]
    assert after.loc["random", "mean"] == before.loc["random", "mean"]
    kept = run_volumes(whole[~whole["run"].isin(lost)].query("strategy == 'ppo'"), names, corner)
    assert after.loc["ppo", "mean"] == pytest.approx(3 * kept["mean"].iloc[0] / 6)
    assert lost_note(points) == "Runs without a score: 3 of ppo. Their hypervolume is 0, and they attain nothing."
    surfaces = attainment(points, names, (50, 75))
    assert surfaces.loc[surfaces["strategy"] == "ppo", "percent"].unique().tolist() == [50]  # 3 of 6 have points
    every = attainment(whole[~whole["run"].isin(lost)].query("strategy == 'ppo'"), names, (100,))
    mine = surfaces[surfaces["strategy"] == "ppo"]
    np.testing.assert_array_equal(mine[list(names)].to_numpy(), every[list(names)].to_numpy())


def test_imported_tables_have_no_validation_seconds_per_epoch(make):
    """Their eval_seconds are those of one pass, of three, or of one per epoch, and no column says which."""
    child = {
        "run": "x",
        "strategy": "table",
        "hash": "aa",
        "val_acc": 0.8,
        "eval_seconds": 2.0,
        "epochs": 4,
        "platform": "",
    }
    with pytest.raises(
        InputError, match="validation_seconds_per_epoch is not known of 1 of 1 children, which were imported"
    ):
        objective_points(make.children([child]), ("error", "validation_seconds_per_epoch"))
    built = objective_points(make.children([{**child, "platform": "here"}]), ("error", "validation_seconds_per_epoch"))
    assert built["validation_seconds_per_epoch"].tolist() == [0.5]


def test_runs_without_a_final_training_are_named(make):
    """Their searches have scores, their test scores are not known: they are neither counted as 0 nor left out without a word."""
    about = {"strategy": "random", "params": 100}
    search = [{**about, "run": run, "hash": run, "val_acc": 0.5} for run in "abc"]
    crashed = {**about, "run": "d", "hash": "d", "status": "diverged"}
    final = {**about, "run": "a", "hash": "a", "stage": "final", "counted": False, "test_acc": 0.4}
    frame, names, corner = make.children([*search, crashed, final]), ("error", "params"), {"error": 1.0, "params": 1e3}
    tested = objective_points(frame, names, "test_acc", by_run=True)
    (row,) = run_volumes(tested, names, corner).to_dict("records")
    assert row["runs"] == 2  # a, and d whose volume is 0
    assert unknown_note(tested).startswith("Runs without a point: 2 of random. Their children finished, but no")
    assert "has test_acc and all objectives" in unknown_note(tested)
    assert unknown_note(objective_points(frame, names, by_run=True)) == ""
    measured = frame.assign(latency=np.where(frame["hash"] == "b", np.nan, 2.0))
    measured.attrs["measured"] = {"latency": "latency (ms)"}
    partly = objective_points(measured, ("error", "latency"), by_run=True)
    assert unknown_note(partly).startswith("Runs without a point: 1 of random.")


def test_runs_without_a_counted_child_have_volume_0(make):
    """A run that chose nothing counts, whether its child was beyond the budget or it has no child at all."""
    of = {"strategy": "random", "params": 100, "val_acc": 0.5}
    frame = make.children([{**of, "run": "a", "hash": "h"}, {**of, "run": "b", "hash": "h", "counted": False}])
    runs = make.runs(
        [{"run": run, "strategy": "random", "seed": i, "children": int(run == "a")} for i, run in enumerate("abc")]
    )
    names, corner = ("error", "params"), {"error": 1.0, "params": 1000.0}
    points = objective_points(frame, names, by_run=True, runs=runs)
    assert lost_note(points) == "Runs without a score: 2 of random. Their hypervolume is 0, and they attain nothing."
    (row,) = run_volumes(points, names, corner).to_dict("records")
    assert row["runs"] == 3
    assert row["mean"] == pytest.approx((1 - 0.5) * 1 / 3)  # a tenth of the bound is one unit of the logarithm
