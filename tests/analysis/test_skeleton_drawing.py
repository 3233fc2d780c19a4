"""Skeletons: the numbers beside the boxes are those of the network that is built, and every text can be read."""

from __future__ import annotations

import dataclasses

import pytest

from nasbench.analysis.drawings.lecture_figures import CIFAR_SCALE, LARGE_SCALE, MOBILE_SCALE
from nasbench.analysis.drawings.skeletons import skeleton_data, skeleton_figure, skeleton_title
from nasbench.errors import InputError
from nasbench.spaces.genotypes import AMOEBANET_A, NASNET_A, PNASNET_5
from nasbench.structures import Cell, CellPair, Scale

TINY = Scale(cells=2, filters=4, image_size=17, classes=7)
TINY_IMAGENET = dataclasses.replace(TINY, stem="imagenet", image_size=67, skip_reduction_input=True)
CASES = {
    "cifar": (NASNET_A, TINY, "nasnet"),
    "imagenet": (AMOEBANET_A, TINY_IMAGENET, "nasnet"),
    "pnas": (PNASNET_5, dataclasses.replace(TINY, cells=3), "pnas"),
    "one cell": (NASNET_A, dataclasses.replace(TINY, cells=1), "nasnet"),
    "pnas of one cell": (PNASNET_5, dataclasses.replace(TINY, cells=1), "pnas"),
    "pnas imagenet": (PNASNET_5, dataclasses.replace(TINY_IMAGENET, cells=2), "pnas"),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_what_the_built_network_puts_out(name):
    import torch

    from nasbench.networks.cells import build_cell_network

    pair, scale, skeleton = CASES[name]
    network = build_cell_network(pair, scale, skeleton=skeleton).eval()
    seen: list[tuple[int, int]] = []
    for module in (network.stem, *network.cells):
        module.register_forward_hook(lambda _, __, out: seen.append((out.shape[1], out.shape[2])))
    with torch.inference_mode():
        logits = network(torch.zeros(1, scale.image_channels, scale.image_size, scale.image_size))
    data = skeleton_data(pair, scale, skeleton)
    shown = [
        (part.channels, part.size)
        for part in data.iloc[1:-1].itertuples()
        for _ in range(part.repeat)  # normal cells of one stage all put out the same
    ]
    assert shown == seen
    assert data.iloc[-1]["channels"] == logits.shape[1]
    filters = [part.filters for part in data.itertuples() for _ in range(part.repeat if part.filters else 0)]
    assert filters == [place.filters for place in network.places]


def test_the_published_sizes():
    cifar = skeleton_data(NASNET_A, CIFAR_SCALE)
    assert cifar["part"].tolist() == ["image", "stem", *["normal", "reduction"] * 2, "normal", "head"]
    assert cifar["size"].tolist() == [32, 32, 32, 16, 16, 8, 8, 1]
    assert cifar["filters"].tolist() == [0, 0, 32, 64, 64, 128, 128, 0]
    large = skeleton_data(NASNET_A, LARGE_SCALE)
    assert large["size"].tolist() == [331, 165, 83, 42, 42, 21, 21, 11, 11, 1]
    assert large["channels"].tolist()[1:] == [96, 168, 336, 1008, 1344, 2016, 2688, 4032, 1000]
    assert skeleton_title("NASNet-A", NASNET_A, CIFAR_SCALE) == "NASNet-A 6@768\n3.35M params, 544M mult-adds"
    assert skeleton_title("A", NASNET_A, LARGE_SCALE) == "A 6@4032\n88.8M params, 23.8G mult-adds"
    assert skeleton_title("A", NASNET_A, MOBILE_SCALE) == "A 4@1056\n5.29M params, 564M mult-adds"


def figure_of(*cases):
    return skeleton_figure([(skeleton_title("NASNet-A", *case), skeleton_data(*case)) for case in cases])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_text_lies_on_another_or_outside(count):
    figure = figure_of(*[(NASNET_A, LARGE_SCALE), (NASNET_A, CIFAR_SCALE), CASES["pnas"]][:count])
    figure.draw_without_rendering()
    texts = [text for ax in figure.axes for text in ax.texts if text.get_text()]
    assert len(figure.axes) == count
    assert all(text.get_fontsize() >= 6 for text in texts)
    boxes = [text.get_window_extent() for text in texts]
    for i, (box, text) in enumerate(zip(boxes, texts)):
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width, text
        assert box.y1 <= figure.bbox.height, text
        for other, name in zip(boxes[:i], texts):
            assert not box.overlaps(other), (text, name)


def test_every_part_is_a_box_and_an_arrow_leads_to_each_but_the_image():
    from matplotlib.patches import FancyBboxPatch, Polygon

    data = skeleton_data(NASNET_A, CIFAR_SCALE)
    (ax,) = figure_of((NASNET_A, CIFAR_SCALE)).axes
    fronts = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch) and patch.get_zorder() == 3]
    assert len(fronts) == len(data)
    assert sum(isinstance(patch, Polygon) for patch in ax.patches) == len(data) - 1
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("normal cell × 6") == 3
    assert texts.count("16 × 16") == 2


def test_cells_without_an_output_are_refused():
    with pytest.raises(InputError, match="the normal cell has no output"):
        skeleton_data(CellPair(Cell((), ()), Cell((), (0,))), CIFAR_SCALE)
