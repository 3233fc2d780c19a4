"""Costs by category, per child, to a target, and at other prices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.costs.cost import CATEGORY_COLOURS, cost_by_strategy, part_cores_note, plot_cost, uncounted_note
from nasbench.analysis.statistics.targets import budget_to_target, target_summary
from nasbench.costs.pricing import Price, prices_from
from nasbench.errors import InputError
from nasbench.store.format.schema import LEDGER_CATEGORIES
from nasbench.store.query import Results

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture
def three(make):
    """Three runs that had spent 1, 4 and 10 hours when they reached 0.8; the last one only reaches 0.85."""
    rows, runs = [], []
    for seed, (hours, best) in enumerate([(1.0, 0.95), (4.0, 0.9), (10.0, 0.85)]):
        name = f"r{seed}"
        common = {"run": name, "strategy": "random", "device": "Tesla V100-SXM2-16GB"}
        rows.append({**common, "index": 0, "hash": "a", "val_acc": 0.1, "gpu_hours": 0.25, "spent_gpu_hours": 0.5})
        rows.append({**common, "index": 1, "hash": "b", "val_acc": best, "gpu_hours": 0.5, "spent_gpu_hours": hours})
        rows.append({**common, "index": 0, "stage": "final", "hash": "b", "test_acc": 0.8, "gpu_hours": 7.0})
        runs.append(
            {
                "run": name,
                "strategy": "random",
                "seed": seed,
                "training_hours": hours,
                "final_hours": 2.0,
                "usd": 3 * (hours + 2),
            }
        )
    return make.children(rows), make.runs(runs)


def test_means_by_hand(three):
    row = cost_by_strategy(*three).iloc[0]
    assert (row["training_hours"], row["final_hours"], row["gpu_hours"]) == (5.0, 2.0, 7.0)
    assert (row["gpu_hours_low"], row["gpu_hours_high"], row["usd"]) == (3.0, 12.0, 21.0)
    assert (row["children"], row["hours_per_child"], row["usd_per_child"]) == (6, 0.375, 1.125)
    assert row["priced_at"] == "as charged, 3 USD/h of Tesla V100-SXM2-16GB"


def test_runs_of_different_prices_are_priced_each_by_its_own(three):
    frame, runs = three
    runs["usd"] = [3.0, 12.0, 120.0]  # 1, 2 and 10 USD per hour, of 3, 6 and 12 hours
    row = cost_by_strategy(frame, runs).iloc[0]
    assert row["usd"] == pytest.approx(45)
    assert row["priced_at"].startswith("as charged, 1 to 10 USD/h")
    assert row["usd_per_child"] == pytest.approx(np.median([0.25, 0.5, 0.5, 1, 2.5, 5]))  # their mean is 1.625


@pytest.mark.parametrize(
    ("target", "reached", "hours", "text"),
    [
        (0.8, 3, 4.0, "median 4 h, 12 USD (3 of 3)"),
        (0.9, 2, 4.0, "median 4 h, 12 USD (2 of 3)"),  # the third run counts as "later", it is not dropped
        (0.95, 1, np.nan, "median not reached (1 of 3)"),
        (1.0, 0, np.nan, "median not reached (0 of 3)"),
        (0.0, 3, 0.5, "median 0.5 h, 1.5 USD (3 of 3)"),
    ],
)
def test_a_run_that_never_reaches_the_target_is_counted(three, target, reached, hours, text):
    row = cost_by_strategy(*three, target=target).iloc[0]
    assert (row["reached"], row["to_target"]) == (reached, text)
    np.testing.assert_equal(row["hours_to_target"], hours)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("target", [0.8, 0.84, 0.86, 0.88, 0.9, 0.92])
@pytest.mark.parametrize("seeds", [4, 7])
@pytest.mark.parametrize("budget", [None, 0.1])
def test_the_cost_of_a_target_is_that_of_targets(make, target, seeds, budget):
    frame, runs, _ = make.frames(children=25, seeds=seeds)
    costs = cost_by_strategy(frame, runs, target=target, budget=budget).set_index("strategy")
    reaches = target_summary(budget_to_target(frame, runs, target, budget=budget)).set_index("strategy")
    np.testing.assert_array_equal(costs["hours_to_target"], reaches.loc[costs.index, "median"])
    np.testing.assert_array_equal(costs["reached"], reaches.loc[costs.index, "reached"])
    np.testing.assert_allclose(costs["usd_to_target"], 0.2 * costs["hours_to_target"])


def test_other_prices_change_dollars_and_not_hours(three):
    own = cost_by_strategy(*three, prices=prices_from(None), target=0.8).iloc[0]
    assert own["usd"] == pytest.approx(7 * 2.48)
    assert own["priced_at"].startswith("V100 at 2.48 USD/h (GCP, us-central1, about 2022")
    other = cost_by_strategy(*three, at="T4", target=0.8).iloc[0]
    assert other["gpu_hours"] == own["gpu_hours"]
    assert other["usd"] == pytest.approx(7 * 0.35)
    assert other["usd_to_target"] == pytest.approx(4 * 0.35)
    assert other["priced_at"].startswith("hours of Tesla V100-SXM2-16GB, priced as T4 at 0.35 USD/h")
    assert cost_by_strategy(*three, prices=prices_from("0.05")).iloc[0]["usd"] == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("config", "usd"),
    [('{"devices": ["cpu"]}', (3.0 + 6.0 + 24.0) / 3), ("{}", (3.0 + 6.0) / 2)],
    ids=["cpu", "unknown"],
)
def test_hours_without_a_charged_child_have_the_price_of_the_configured_device(three, config, usd):
    """Runs of 3 and 6 hours at 1 USD, and one of 12 hours without children at 2 USD, or of unknown price."""
    frame, runs = three
    runs["config"], runs["provenance"] = config, "{}"
    prices = (Price("V100", 1.0, "p", "", "", "s", "2026"), Price("cpu", 2.0, "p", "", "", "s", "2026"))
    row = cost_by_strategy(frame[frame["run"] != "r2"], runs, prices).iloc[0]
    assert row["usd"] == pytest.approx(usd)
    assert ("1 of 3 runs are not in the USD" in row["priced_at"]) == (config == "{}")


def test_a_run_on_two_devices_is_priced_by_their_hours(three):
    frame, runs = three
    frame.loc[frame["stage"] == "final", "device"] = "Tesla T4"
    rate = (0.75 * 2.48 + 7.0 * 0.35) / 7.75
    assert cost_by_strategy(frame, runs, prices=prices_from(None)).iloc[0]["usd"] == pytest.approx(7 * rate)


def test_categories_add_up(make):
    frame, runs, _ = make.frames()
    table = cost_by_strategy(frame, runs)
    parts = table[[f"{name}_hours" for name in LEDGER_CATEGORIES]].sum(axis=1)
    np.testing.assert_allclose(parts, table["gpu_hours"])
    np.testing.assert_allclose(table["usd"], 0.2 * table["gpu_hours"])


def test_bad_calls_are_one_clear_line(three):
    with pytest.raises(InputError, match=r"a fraction in \[0, 1\], got 90"):
        cost_by_strategy(*three, target=90)
    with pytest.raises(InputError, match="no price for device 'H200'"):
        cost_by_strategy(*three, at="H200")


@pytest.mark.parametrize("options", [{}, {"failure": 1.0}, {"children": 1, "seeds": 1, "failure": 0.0}])
def test_the_plot_has_a_bar_for_every_part(make, options):
    frame, runs, _ = make.frames(**{"children": 10, **options})
    table = cost_by_strategy(frame, runs, target=0.9)
    figure = plot_cost(table)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    parts = sum((table[f"{name}_hours"] > 0).any() for name in LEDGER_CATEGORIES)
    assert len(ax.patches) == parts * len(table)
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_runs_that_cost_nothing_are_a_plot_that_says_so(make):
    runs = make.runs([{"run": "r", "strategy": "random"}])
    table = cost_by_strategy(make.children([]), runs, target=0.5)
    assert table.loc[0, "to_target"] == "median not reached (0 of 1)"
    assert "Nothing was charged" in plot_cost(table).axes[0].texts[0].get_text()
    assert "Nothing was charged" in plot_cost(pd.DataFrame()).axes[0].texts[0].get_text()


@pytest.fixture
def some_unknown(three):
    """Random search as in `three`, 5 h of training and 2 h of finals on average, and two runs of another strategy that spent NaN."""
    frame, runs = three
    other = runs.iloc[:2].assign(run=["u0", "u1"], strategy="evolution", training_hours=np.nan, usd=np.nan)
    theirs = frame[frame["run"].isin(["r0", "r1"])].assign(strategy="evolution", gpu_hours=np.nan, device="")
    theirs["run"] = theirs["run"].map({"r0": "u0", "r1": "u1"})
    return pd.concat([frame, theirs], ignore_index=True), pd.concat([runs, other], ignore_index=True)


def test_a_strategy_of_unknown_hours_is_a_row_without_a_bar(some_unknown):
    data = cost_by_strategy(*some_unknown).set_index("strategy")
    assert data.loc["random", ["gpu_hours", "training_hours", "runs_known"]].tolist() == [7.0, 5.0, 3]
    assert data.loc["evolution", ["gpu_hours", "training_hours", "final_hours"]].isna().all()
    figure = plot_cost(data.reset_index())
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert sorted(bar.get_width() for bar in ax.patches) == [0, 0, 2, 5]
    texts = dict(zip(data.index, (text.get_text() for text in ax.texts)))
    assert texts["evolution"] == "hours not known"
    assert texts["random"].startswith("21 USD per run (mean)")
    assert ax.get_xlim() == (0, 1.75 * 12)  # the longest whisker
    assert {label.get_text() for label in ax.get_yticklabels()} == {"random\n(n=3)", "evolution\n(n=0 of 2)"}


def test_means_are_of_the_runs_whose_hours_are_known(three):
    """Without the run of 1 and 2 hours, training takes (4 + 10) / 2 = 7 and final trainings 2 hours: parts add up to 9."""
    frame, runs = three
    runs.loc[0, ["training_hours", "usd"]] = np.nan
    data = cost_by_strategy(frame, runs)
    row = data.iloc[0]
    assert (row["training_hours"], row["final_hours"], row["gpu_hours"], row["runs_known"]) == (7.0, 2.0, 9.0, 2)
    assert plot_cost(data).axes[0].get_yticklabels()[0].get_text() == "random\n(n=2 of 3)"


def test_every_category_of_the_ledger_is_drawn(make):
    """The bars of a run add up to what it was charged, so no category may lack a colour or a meaning."""
    from nasbench.analysis.report.tables import CATEGORY_MEANINGS

    assert set(CATEGORY_COLOURS) == set(CATEGORY_MEANINGS) == set(LEDGER_CATEGORIES)
    frame, runs, _ = make.frames(seeds=2, children=10)
    runs = runs.assign(uncounted_hours=0.25)
    data = cost_by_strategy(frame, runs)
    ax = plot_cost(data).axes[0]
    widths = {}
    for bar in ax.patches:
        widths[bar.get_y()] = widths.get(bar.get_y(), 0.0) + bar.get_width()
    assert sorted(widths.values()) == pytest.approx(sorted(data["gpu_hours"]))


def test_uncounted_hours_that_a_file_does_not_hold_are_said_and_hide_nothing(make):
    frame, runs, _ = make.frames(seeds=2, children=10)
    runs["uncounted_hours"] = [float("nan"), *[0.25] * (len(runs) - 1)]
    data = cost_by_strategy(frame, runs)
    parts = data[[f"{category}_hours" for category in LEDGER_CATEGORIES]].sum(axis=1)
    assert parts.tolist() == pytest.approx(data["gpu_hours"].tolist())
    assert "not known of 1 of 6 runs" in uncounted_note(runs)
    assert uncounted_note(runs.assign(uncounted_hours=0.0)) == ""


def charged_as(frame, runs, devices, processors, made_by=None, **fields):
    config = {"executor": "local", "devices": ["cpu"], "children_per_device": 1, "runs_per_device": 2, **fields}
    made = runs.assign(config=json.dumps(config), provenance=json.dumps({"processors": processors, **(made_by or {})}))
    return part_cores_note(frame.assign(device="cpu", devices=devices), made)


def test_half_devices_of_an_earlier_rule_are_said(make):
    frame, runs, _ = make.frames(seeds=2, children=4)
    said = charged_as(frame, runs, devices=0.5, processors=2)
    assert said.startswith("6 of 6 runs were charged a part of a core for children that each held a core")
    assert said.endswith("their core-hours are 2 times these hours")
    assert charged_as(frame, runs, devices=1.0, processors=2) == ""
    assert charged_as(frame, runs, devices=0.5, processors=1) == ""  # two children do share one core
    assert charged_as(frame, runs, devices=0.5, processors=2, executor="ray") == ""
    # Resumed side by side with others by the present rule, so that children held less than the configuration says.
    assert charged_as(frame, runs, devices=0.5, processors=2, made_by={"searches_at_once": 1}) == ""
    assert charged_as(frame, runs, devices=0.5, processors=2, devices_unknown=0, runs_per_device=None) == ""
    assert part_cores_note(frame.assign(device="NVIDIA H100", devices=0.5), runs.assign(config="", provenance="")) == ""


def test_shipped_searches_say_their_core_hours():
    with Results(str(RESULTS / "claims.h5")) as results:
        frame, runs = results.frame(), results.runs()
    assert part_cores_note(frame, runs).startswith("15 of 15 runs")
    seconds = (
        frame["train_seconds"] + frame["eval_seconds"] + frame["setup_seconds"]
    )  # of cached children, the original's
    assert 2 * frame["gpu_hours"].sum() == pytest.approx(seconds.sum() / 3600)
    card = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert f"{frame['gpu_hours'].sum():.4f} device-hours" in card
    assert f"{seconds.sum() / 3600:.3f} core-hours" in card


def test_children_of_a_run_with_several_prices_keep_their_own(make):
    """Prices 1 and 10 USD per hour in one run: no child was charged at their average."""
    frame, runs, _ = make.frames(strategies=("random",), seeds=1, children=10, failure=0.0, retrained=0)
    hours = frame["gpu_hours"].to_numpy()
    price = np.where(np.arange(len(frame)) < 7, 1.0, 10.0)
    frame = frame.assign(usd=hours * price, spent_gpu_hours=hours.cumsum())
    runs = runs.assign(usd=float((hours * price).sum()), **{f"{name}_hours": 0.0 for name in LEDGER_CATEGORIES})
    runs = runs.assign(training_hours=float(hours.sum()))
    target = float(frame["val_acc"].iloc[:5].max())
    reached = int((frame["val_acc"] >= target).to_numpy().argmax())
    (row,) = cost_by_strategy(frame, runs, target=target).to_dict("records")
    assert row["usd_per_child"] == pytest.approx(float(np.median(hours * price)))
    assert row["usd_to_target"] == pytest.approx(float(hours[: reached + 1].sum()))
    assert row["priced_at"].startswith("as charged, 1 to 10 USD/h")
    (at,) = cost_by_strategy(frame, runs, at="V100").to_dict("records")
    assert at["usd_per_child"] == pytest.approx(at["hours_per_child"] * at["usd"] / at["gpu_hours"])
