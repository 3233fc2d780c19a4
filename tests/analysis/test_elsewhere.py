"""Estimates for other devices by hand, and energy that was measured or not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from nasbench.analysis.costs.cost_on_other_devices import (
    ESTIMATE,
    MEASURED,
    cost_on_other_devices,
    emissions,
    emissions_note,
    energy_by_strategy,
    energy_note,
    estimate_notes,
    plot_cost_on_other_devices,
)
from nasbench.analysis.plotting import saving, style
from nasbench.costs.carbon import intensity_of, shipped_intensities
from nasbench.costs.pricing import Price
from nasbench.costs.speeds import Speed
from nasbench.errors import InputError

SPEEDS = (
    Speed("K80", 4.0, "", "s", "2014"),
    Speed("A100", 20.0, "", "s", "2020"),
    Speed("cpu", 0.5, "a stand-in", "s", "2021"),
)
PRICES = (Price("A100", 3.0, "p", "", "", "s", "2026"), Price("K80", 0.5, "p", "", "", "s", "2026"))


@pytest.fixture
def two(make):
    """Two runs of 10 device-hours each, of which 1 is the strategy's own; one used K80s, the other half of each device."""
    rows = [
        {"run": run, "strategy": "random", "hash": "a", "index": index, "device": device, "gpu_hours": 4.5}
        for run, devices in (("x", ("Tesla K80", "Tesla K80")), ("y", ("Tesla K80", "cpu")))
        for index, device in enumerate(devices)
    ]
    hours = {"training_hours": 9.0, "searcher_hours": 1.0, "usd": 5.0}
    return make.children(rows), make.runs([{"run": run, "strategy": "random", "seed": 0, **hours} for run in "xy"])


def test_hours_and_usd_by_hand(two):
    data = cost_on_other_devices(*two, ["A100", "K80"], PRICES, SPEEDS)
    assert data["kind"].tolist() == [MEASURED, ESTIMATE, ESTIMATE]
    assert data["gpu_hours"].tolist() == pytest.approx(
        [10.0, (9 / 5 + (4.5 / 5 + 4.5 / 40)) / 2 + 1, (9 + 4.5 + 4.5 / 8) / 2 + 1]
    )
    assert data["usd"].tolist() == pytest.approx([5.0, 3 * data["gpu_hours"][1], 0.5 * data["gpu_hours"][2]])
    assert data["device"].tolist() == ["Tesla K80, cpu", "A100", "K80"]


def test_what_estimates_rest_on_is_said(two):
    notes = estimate_notes(cost_on_other_devices(*two, ["A100"], PRICES, SPEEDS))
    assert "K80 4 TFLOP/s" in notes[0]
    assert "A100 at 3 USD/h" in notes[0]
    assert notes[1] == "Cpu: a stand-in."
    assert notes[-1].startswith("Estimates, not measurements")
    assert estimate_notes(cost_on_other_devices(*two, [], PRICES, SPEEDS)) == []


def test_each_strategy_has_the_note_of_its_own_devices(two):
    frame, runs = two
    runs["strategy"] = ["random", "ppo"]
    frame["strategy"] = frame["run"].map({"x": "random", "y": "ppo"})
    frame.loc[frame["run"] == "y", "device"] = "cpu"
    notes = estimate_notes(cost_on_other_devices(frame, runs, ["A100"], PRICES, SPEEDS))
    assert notes[0].startswith("A100 for random: 5 times as fast by")  # 20 TFLOP/s over 4
    assert notes[1].startswith("A100 for ppo: 40 times as fast by")  # 20 over 0.5


@pytest.mark.parametrize(
    ("config", "hours"), [('{"devices": ["cpu"]}', (9 / 5 + 9 / 40) / 2 + 1), ("{}", 9 / 5 + 1)], ids=["cpu", "unknown"]
)
def test_hours_without_charged_children_are_those_of_the_configured_device(two, config, hours):
    """Run y spent all on its super-network: on a processor, 40 times as slow, or on an unknown device, left out."""
    frame, runs = two
    runs["config"] = config
    data = cost_on_other_devices(frame[frame["run"] == "x"], runs, ["A100"], PRICES, SPEEDS)
    assert data["gpu_hours"].tolist() == pytest.approx([10.0, hours])
    assert ("1 of 2 runs of random do not say on which device they ran" in data["caveat"][1]) == (config == "{}")
    assert data["times"][1] == pytest.approx(2 / (1 / 5 + 1 / 40) if config != "{}" else 5)


def test_a_tables_clock_names_no_device(two):
    frame, runs = two
    replayed = frame.assign(device="table")
    with pytest.raises(InputError, match="simulated clock, which names no device; say on which"):
        cost_on_other_devices(replayed, runs, ["A100"], PRICES, SPEEDS)
    data = cost_on_other_devices(replayed, runs, ["A100"], PRICES, SPEEDS, ran_on="K80")
    assert data["gpu_hours"].tolist() == pytest.approx([10.0, 9 / 5 + 1])


def test_a_device_without_a_price_or_a_speed(two):
    with pytest.raises(InputError, match="no price for device 'H100'"):
        cost_on_other_devices(*two, ["H100"], PRICES, SPEEDS)
    with pytest.raises(InputError, match="the speed of device 'cpu' is unknown"):
        cost_on_other_devices(*two, ["A100"], PRICES, SPEEDS[:2])


def test_the_picture_tells_estimates_from_what_was_run(two, tmp_path):
    data = cost_on_other_devices(*two, ["A100", "K80"], PRICES, SPEEDS)
    figure = plot_cost_on_other_devices(data)
    faces = [line.get_markerfacecolor() for line in figure.axes[0].lines if len(line.get_xdata())]
    assert faces == [style.look("random").colour, "none", "none"]
    saving.save_figure(figure, tmp_path / "elsewhere.svg")
    drawn = (tmp_path / "elsewhere.svg").read_text()
    assert "(estimate)" in drawn
    assert "(as run)" in drawn
    assert figure.axes[1].get_xscale() == "log"


def test_nothing_charged_is_said(two, tmp_path):
    frame, runs = two
    free = cost_on_other_devices(
        frame.assign(gpu_hours=0.0), runs.assign(training_hours=0.0, searcher_hours=0.0, usd=0.0), ["A100"]
    )
    saving.save_figure(plot_cost_on_other_devices(free), tmp_path / "none.svg")
    assert "Nothing was charged" in (tmp_path / "none.svg").read_text()


def test_energy_is_what_counters_said(two):
    _, runs = two
    runs = runs.astype({"provenance": object})
    runs.loc[0, "provenance"] = json.dumps(
        {"energy": {"joules": {"rapl:package-0": 3.6e6, "nvml:GPU-1 A100": 7.2e6}, "seconds": 9}}
    )
    row = energy_by_strategy(runs).iloc[0]
    assert (row["runs"], row["measured"], row["kwh"]) == (2, 1, pytest.approx(3.0))
    assert energy_note(energy_by_strategy(runs)) == (
        "Energy measured by nvml:GPU-1 A100, rapl:package-0, with what else ran there: random 3 kWh per run (n=1 of 2)."
    )


def test_energy_that_lacks_an_attempt_is_said_to_be_too_low(two):
    energy = {"joules": {"rapl:package-0": 3.6e6}, "seconds": 9, "incomplete": True}
    data = energy_by_strategy(two[1].assign(provenance=json.dumps({"energy": energy})))
    assert data["incomplete"].tolist() == [2]
    said = "too low for 2 runs of which an attempt was not measured."
    assert energy_note(data).endswith(said)
    assert emissions_note(emissions(data, intensity_of("50")), intensity_of("50")).endswith(said)


@pytest.mark.parametrize(
    "provenance", ["", "{}", "no json", '{"energy": null}', '{"energy": {"joules": {}}}', '{"energy": 3}']
)
def test_energy_that_was_not_measured_is_not_made_up(two, provenance):
    data = energy_by_strategy(two[1].assign(provenance=provenance))
    assert data["measured"].tolist() == [0]
    assert np.isnan(data["kwh"][0])
    assert energy_note(data).startswith("Energy: not measured")


def test_emissions_are_measured_energy_times_the_intensity(two):
    measured = json.dumps({"energy": {"joules": {"rapl:package-0": 7.2e6}, "seconds": 9}})
    data = emissions(energy_by_strategy(two[1].assign(provenance=measured)), intensity_of("FR"))
    assert data["co2e_grams"].tolist() == pytest.approx((2 * 67.39 * np.ones(len(data))).tolist())
    note = emissions_note(data, intensity_of("FR"))
    assert "67.39 g CO2e per kWh (France, 2021; Our World in Data" in note
    assert "135 g per run" in note


def test_without_a_reading_there_are_no_emissions(two):
    data = emissions(energy_by_strategy(two[1].assign(provenance="")), intensity_of("50"))
    assert data["co2e_grams"].isna().all()
    assert emissions_note(data, intensity_of("50")).startswith("CO2e: unknown, because no energy was measured")


def test_a_carbon_intensity_is_a_region_or_a_number():
    assert intensity_of("france") == intensity_of(" fr ")
    assert str(intensity_of("50")) == "50 g CO2e per kWh (given by the user)"
    assert {each.year for each in shipped_intensities()} == {"2021"}
    assert all(0 < each.grams_per_kwh < 1000 for each in shipped_intensities())
    assert len({each.region for each in shipped_intensities()}) == len(shipped_intensities())
    for wrong in ("-1", "nan", "inf", "Atlantis", ""):
        with pytest.raises(InputError, match="carbon intensity"):
            intensity_of(wrong)


def test_runs_of_unknown_hours_are_not_runs_that_charged_nothing(two):
    frame, runs = two
    runs.loc[1, ["training_hours", "usd"]] = np.nan
    frame.loc[frame["run"] == "y", "gpu_hours"] = np.nan
    data = cost_on_other_devices(frame, runs, ["A100"], PRICES, SPEEDS)
    assert data["gpu_hours"].tolist() == pytest.approx([10.0, 9 / 5 + 1])  # of the first run alone
    assert any("1 of 2 runs of random do not say how many hours they spent" in line for line in estimate_notes(data))
    runs["training_hours"] = frame["gpu_hours"] = np.nan
    unknown = cost_on_other_devices(frame, runs, ["A100"], PRICES, SPEEDS)
    assert unknown["gpu_hours"].isna().all()
    assert not any("nan" in line for line in estimate_notes(unknown))
    assert "What these runs cost" in plot_cost_on_other_devices(unknown).axes[0].texts[0].get_text()


def test_tables_have_rows_of_their_own_in_the_picture(two):
    """The same strategy at 10 h on one table and 20 h on another, and never at their mean of 15 h."""
    data = cost_on_other_devices(*two, [], PRICES, SPEEDS)
    both = pd.concat([data.assign(table="a"), data.assign(table="b", gpu_hours=20.0)], ignore_index=True)
    ax = plot_cost_on_other_devices(both).axes[0]
    points = {round(line.get_xdata()[0], 9): line.get_ydata()[0] for line in ax.lines if len(line.get_xdata())}
    assert set(points) == {10.0, 20.0}
    assert len(set(points.values())) == 2
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["Tesla K80, cpu\n(as run, a)", "Tesla K80, cpu\n(as run, b)"]


def test_a_device_that_is_given_stands_for_runs_that_name_none(make):
    frame, runs, _ = make.frames(strategies=("random",), seeds=2, children=4)
    frame = frame.assign(device="")
    found = cost_on_other_devices(frame, runs, ["V100"], None, ran_on="P100")
    assert found.loc[found["device"] == "V100", "gpu_hours"].notna().all()
    (row,) = cost_on_other_devices(frame, runs, ["V100"], None).query("device == 'V100'").to_dict("records")
    assert "2 of 2 runs of random do not say on which device they ran (name it by --from)" in row["caveat"]
