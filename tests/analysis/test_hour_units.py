"""Tables and plots say "GPU-hours" where all children were trained on GPUs, and "device-hours" elsewhere."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from nasbench.analysis.comparison.compare import anytime, bands, draw_compare, readable, summarize
from nasbench.analysis.costs.cost import cost_by_strategy, draw_cost
from nasbench.analysis.costs.cost_on_other_devices import cost_on_other_devices, draw_cost_on_other_devices
from nasbench.analysis.pareto.objective_plots import draw_attainment, draw_three, draw_two
from nasbench.analysis.pareto.objectives import attainment, objective_front, objective_points
from nasbench.analysis.pareto.pareto import draw_pareto, pareto_front
from nasbench.analysis.report.contents import Selection, Wishes, contents
from nasbench.analysis.report.payload import payload
from nasbench.analysis.report.tables import cost_table, summary_table
from nasbench.analysis.report.wording import facts
from nasbench.analysis.statistics.targets import budget_to_target, draw_targets, survival

CPUS, GPUS, BOTH = ["cpu"], ["NVIDIA H200", "Tesla V100-SXM2-16GB"], ["cpu", "NVIDIA H200"]


@pytest.fixture(params=[(CPUS, "device"), (GPUS, "GPU"), (BOTH, "device")], ids=["cpu", "gpu", "both"])
def rows(request, make):
    """Children and runs on devices, their curves, and the word for these."""
    devices, word = request.param
    frame, runs, curves = make.frames(seeds=2)
    named = [devices[place % len(devices)] for place in range(len(frame))]
    return frame.assign(device=named, choices="[]", space="unknown-space"), runs, curves, word


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_comparisons(rows, ax):
    frame, runs, _, word = rows
    assert f"{word}-hours, median" in readable(summarize(frame, runs)).columns
    draw_compare(bands(anytime(frame, runs), resamples=10), ax)
    assert ax.get_xlabel() == f"{word}-hours spent"


def test_other_budget_axes_are_not_of_device_time(rows, ax):
    frame, runs, *_ = rows
    draw_compare(bands(anytime(frame, runs, "children"), resamples=10), ax)
    assert ax.get_xlabel() == "children trained"


def test_costs(rows, ax):
    frame, runs, _, word = rows
    draw_cost(cost_by_strategy(frame, runs), ax)
    assert ax.get_xlabel().startswith(f"{word}-hours per run")


def test_estimates_name_gpu_hours_only_without_a_cpu_among_the_devices(make, ax):
    frame, runs, _ = make.frames(seeds=1)
    for device, word in (("cpu", "device"), ("K80", "GPU")):
        data = cost_on_other_devices(frame.assign(device="K80"), runs, ["V100"]).assign(device=[device, "V100"] * 3)
        draw_cost_on_other_devices(data, ax, "gpu_hours")
        assert ax.get_xlabel() == f"{word}-hours per run (mean)"


def test_targets(rows, ax):
    frame, runs, _, word = rows
    draw_targets(survival(budget_to_target(frame, runs, 0.1)), ax)
    assert ax.get_xlabel() == f"{word}-hours spent"


def test_objectives(rows, ax):
    frame, _, _, word = rows
    names = ("error", "gpu_hours")
    draw_two(objective_front(objective_points(frame, names), names), ax, names)
    assert ax.get_xlabel() == f"{word}-hours to train"
    draw_attainment(attainment(objective_points(frame, names, by_run=True), names), ax, names)
    assert ax.get_xlabel() == f"{word}-hours to train"
    three = ("error", "params", "gpu_hours")
    draw_three(objective_front(objective_points(frame, three), three), ax, three)
    assert ax.get_figure().axes[-1].get_ylabel() == f"{word}-hours to train"


def test_reports(rows):
    frame, runs, curves, word = rows
    found = contents(Selection(frame, runs, curves, ()), Wishes(target=0.1))
    other = "GPU-" if word == "device" else "evice-"
    heads = [column.heading for table in (summary_table, cost_table) for column in table(found).columns]
    said = " ".join([*heads, *(fact.what for fact in facts(found)), *(str(cell) for cell in cost_table(found).rows)])
    assert (f"{word}-" if word == "GPU" else "evice-") in said
    assert other not in said
    assert all(head.endswith((", median", ", mean")) for head in heads if "per run" in head or "per child" in head)
    data = payload(found)
    assert data["seconds_unit"] == f"{word}-seconds"
    assert [course["label"] for course in data["courses"]] == ["children trained", f"{word}-hours spent"]


@pytest.mark.parametrize(
    ("x", "label"), [("gpu_hours", "{}-hours to train"), ("device_seconds", "{}-seconds to train")]
)
def test_fronts_of_one_cost(rows, ax, x, label):
    frame, _, _, word = rows
    draw_pareto(pareto_front(frame.assign(device_seconds=60.0), x), ax, x)
    assert ax.get_xlabel() == label.format(word)
