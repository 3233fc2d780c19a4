"""Fronts over two costs side by side: tau between the costs by scipy, rings, errors, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from scipy.stats import kendalltau

from nasbench.analysis.pareto.objectives import objective_front
from nasbench.analysis.pareto.side_by_side import agreement_notes, check_pairs, cost_agreement, plot_side_by_side
from nasbench.errors import InputError

PAIRS = [("error", "params"), ("error", "latency")]


def points(cost: str, values: list[float], hashes: str = "abcde") -> pd.DataFrame:
    errors = [0.5, 0.4, 0.3, 0.2, 0.1][: len(values)]
    made = pd.DataFrame({"strategy": "table", "hash": list(hashes[: len(values)]), "error": errors, cost: values})
    made.attrs["labels"] = {cost: f"{cost} (ms)"} if cost == "latency" else {}
    return objective_front(made, ("error", cost))


def fronts() -> list[pd.DataFrame]:
    return [points("params", [1.0, 2.0, 3.0, 4.0, 5.0]), points("latency", [1.0, 3.0, 2.0, 5.0, 4.0])]


def test_tau_and_the_common_part_of_the_fronts() -> None:
    (row,) = cost_agreement(fronts(), PAIRS).itertuples(index=False)
    assert row.tau == pytest.approx(kendalltau([1, 2, 3, 4, 5], [1, 3, 2, 5, 4]).statistic)
    assert (row.n, row.first_front, row.second_front, row.both_fronts) == (5, 5, 3, 3)
    (note,) = agreement_notes(cost_agreement(fronts(), PAIRS))
    assert (
        note
        == "Kendall's tau between params and latency over 5 architectures: 0.600; 3 are on both fronts, of 5 and 3."
    )


def test_only_architectures_of_which_both_costs_are_known_are_ranked() -> None:
    found = cost_agreement([fronts()[0], points("latency", [3.0, 2.0, 1.0], "abx")], PAIRS)
    assert found["n"][0] == 2
    assert found["tau"][0] == pytest.approx(-1.0)
    constant = cost_agreement([fronts()[0], points("latency", [1.0] * 5)], PAIRS)
    assert np.isnan(constant["tau"][0])


def test_rings_mark_the_other_front() -> None:
    both = fronts()
    figure = plot_side_by_side(both, PAIRS, cost_agreement(both, PAIRS))
    for ax, name, count in zip(figure.axes, ("front over latency (ms)", "front over parameters"), (3, 5)):
        (rings,) = [each for each in ax.collections if each.get_label() == name]
        assert len(rings.get_offsets()) == count
        assert not len(rings.get_facecolors())


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("error", "params", "latency"), ("error", "usd")], "two objectives each"),
        ([("error", "a"), ("error", "b"), ("error", "c"), ("error", "d")], "two or three times"),
        ([("error", "params"), ("params", "latency")], "one first objective, got error and params"),
        ([("error", "params"), ("error", "params")], "one is given twice"),
    ],
)
def test_other_objectives_are_refused(pairs: list[tuple[str, ...]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_pairs(pairs)


def test_the_command_draws_them_and_prints_tau(tmp_path: Path) -> None:
    table = "arch,acc,params,phone\n00,0.5,10,1\n01,0.6,20,3\n10,0.7,30,2\n11,0.8,40,5\n"
    (tmp_path / "t.csv").write_text(table)
    maps = ("architecture=arch", "val_acc=acc", "params=params", "latency[device=phone]:ms:lower=phone")
    words = [word for each in maps for word in ("--map", each)]
    out = str(tmp_path / "t.h5")
    done = nasbench("import", "csv", str(tmp_path / "t.csv"), "-o", out, "--space", "choices:2/2", *words)
    assert done.code == 0, done.err
    both = ("--objectives", "error,params", "--objectives", "error,latency")
    done = nasbench("pareto", out, *both, "--csv", str(tmp_path / "tau.csv"), "-o", str(tmp_path / "fronts"))
    assert done.code == 0, done.err
    found = pd.read_csv(tmp_path / "tau.csv")
    assert found["tau"][0] == pytest.approx(kendalltau([10, 20, 30, 40], [1, 3, 2, 5]).statistic)
    data = pd.read_csv(tmp_path / "fronts.csv")
    assert data.groupby("over")["front"].sum().to_dict() == {"params": 4, "latency": 3}
    assert "Kendall's tau of the costs: 0.667" in (tmp_path / "fronts.txt").read_text()
    refused = nasbench("pareto", out, *both, "--reference", "1,1e6")
    assert refused.code == 2
    assert "--reference is of one front" in refused.err
