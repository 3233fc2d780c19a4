"""The figures of the notes: all there, with the data behind them, and open to plug-ins."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from unittest import mock

import pytest

from nasbench.analysis.drawings.lecture_figures import FIGURES, Searches
from nasbench.analysis.drawings.structure_tables import structure_table
from nasbench.errors import InputError
from nasbench.registry import Registry
from nasbench.spaces.genotypes import NAS_V1, NASNET_A
from nasbench.structures import (
    Chain,
    ChainLayer,
    ChannelStack,
    EdgeCell,
    EdgeOperation,
    MacroLayer,
    MacroStack,
    Vertex,
    VertexCell,
)


def test_there_are_seven_of_which_one_needs_runs():
    assert list(FIGURES) == list("1234567")
    assert [FIGURES.get(number).needs for number in FIGURES] == ["runs", *["nothing"] * 4, *["perhaps runs"] * 2]


@pytest.mark.parametrize("number", list("2345"))
def test_figures_that_need_nothing(number):
    drawn = FIGURES.get(number).draw(None)
    assert drawn.figure.axes
    assert len(drawn.data) > 7


@pytest.mark.slow
def test_our_own_runs_add_a_panel(make):
    frame, runs, _ = make.frames(strategies=("random",), seeds=1, children=8)
    both = FIGURES.get("7").draw(Searches(frame, runs))
    assert len(both.figure.axes) == 2
    assert set(both.data["panel"]) == {"published", "ours"}
    assert any("Insufficient seeds" in note for note in both.notes)


def test_rows_of_different_protocols_do_not_share_a_panel(make):
    frame, runs, _ = make.frames(strategies=("random",), seeds=2, children=4, retrained=0)
    frame.loc[frame["run_seed"] == 1, "fingerprint"] = "beef" * 4
    with pytest.raises(InputError, match="not comparable; they differ in protocol"):
        FIGURES.get("6").draw(Searches(frame, runs))


def test_a_plug_in_adds_a_figure():
    point = EntryPoint("8", "nasbench.analysis.drawings.lecture_figures:CELLS", "nasbench.figures")
    with mock.patch("nasbench.registry.entry_points", return_value=[point]):
        registry: Registry = Registry(
            "figure", "nasbench.figures", {"1": "nasbench.analysis.drawings.lecture_figures:LOOP"}
        )
        assert list(registry) == ["1", "8"]
        assert registry.get("8") is FIGURES.get("5")


def test_the_tables_behind_pictures():
    cells = structure_table(NASNET_A)
    assert len(cells) == 12
    assert cells.iloc[0].tolist() == ["normal", "b1", "c", "sep_conv_5x5", "p", "sep_conv_3x3", "add"]
    assert cells.iloc[5]["left"] == "p b1 b2 b3 b4 b5"
    layers = structure_table(NAS_V1)
    assert layers.iloc[3][["layer", "height", "width", "filters", "inputs"]].tolist() == ["4", 5, 5, 36, "1 2 3"]
    assert layers.iloc[-1]["inputs"] == "15"
    edges = structure_table(EdgeCell((EdgeOperation("nor_conv_1x1", (0,)),), (0, 1)))
    assert edges["inputs"].tolist() == ["0", "0 1"]
    macro = structure_table(MacroStack((MacroLayer("conv_3x3"), MacroLayer("max_pool_3x3", (0,), 1))))
    assert macro.iloc[1].tolist() == ["2", "max_pool_3x3", 1, "0"]
    chain = structure_table(Chain((ChainLayer("mb3_k3", True, 2), ChainLayer("identity"))))
    assert chain.values.tolist() == [["1", "mb3_k3", True, 2], ["2", "identity", False, 1]]
    channels = structure_table(ChannelStack((64, 8, 16, 32, 48)))
    assert channels.iloc[1].tolist() == ["2", "residual block", 8]
    vertices = structure_table(VertexCell((Vertex("maxpool3x3", (0,)),), (0, 1)))
    assert vertices.values.tolist() == [["1", "maxpool3x3", "0"], ["output", "concat", "0 1"]]
    with pytest.raises(InputError, match="no table of str"):
        structure_table("nasnet-a")
