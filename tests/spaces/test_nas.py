"""The 2016 space: decisions, compile rules, variants, notation, identity."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.spaces.genotypes import NAS_V1
from nasbench.spaces.nas import NasSpace
from nasbench.structures import Layer, LayerStack

V3 = NasSpace(layers=13, variant="v3")
GOLDEN = {
    "nas": "2ff7f1d63304390eca90964d0903fd1a",
    "nas:layers=6,variant=v2": "00bf175efd594993079ba31083aadf8c",
    "nas:layers=13,variant=v3": "425a1a55854035463557ed0610abe4b8",
}


def test_decisions_come_in_the_papers_order():
    names = [decision.name for decision in NasSpace(layers=3, variant="v2").decisions]
    parts = ["filter_height", "filter_width", "stride_height", "stride_width", "filters"]
    skips = [[], ["skip1"], ["skip1", "skip2"]]
    assert names == [f"layer{n}/{part}" for n in (1, 2, 3) for part in [*parts, *skips[n - 1]]]
    last = NasSpace(layers=3).decisions[-1]
    assert (last.kind, last.layer, last.source, last.options) == ("skip", 2, 1, 2)


def test_a_forced_chain_decides_about_one_skip_less_per_layer():
    space = NasSpace(layers=3, chain="forced")
    assert [d.name for d in space.decisions if d.kind == "skip"] == ["layer3/skip1"]
    stack = space.structure(space.decode([0] * len(space.decisions)))
    assert [layer.inputs for layer in stack.layers] == [(0,), (1,), (2,)]


def test_a_layer_without_inputs_reads_the_image_and_unread_layers_reach_the_classifier():
    space = NasSpace(layers=3, kernels=(3,), filters=(8, 16, 32))
    # layer 1 of 8 filters, layer 2 of 16 reads nothing, layer 3 of 32 reads layer 1
    stack = space.structure(space.decode([0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0]))
    by_filters = {layer.filters: index for index, layer in enumerate(stack.layers, 1)}
    inputs = {layer.filters: layer.inputs for layer in stack.layers}
    assert inputs == {8: (0,), 16: (0,), 32: (by_filters[8],)}
    assert stack.out == tuple(sorted([by_filters[16], by_filters[32]]))


def test_figure_7_is_an_architecture_of_the_space():
    space = NasSpace()
    architecture = space.from_stack(NAS_V1)
    assert space.structure(architecture) == NAS_V1  # it is a chain of depths, so its order is the canonical one
    assert str(architecture).startswith("1 3x3,36 [0]; 2 3x3,48 [1]; 3 3x3,36 [1,2]; 4 5x5,36 [1,2,3]; 5 3x7,48 [3,4]")
    assert space.parse(str(architecture)) == architecture
    assert architecture.hash == "f8da54c0e63cbbcbdb942379d61cfb91"


def test_v3_pools_after_blocks_4_and_8_of_13():
    assert V3.poolings == (4, 8)
    assert [V3.stage(layer) for layer in range(13)] == [0] * 4 + [1] * 4 + [2] * 5
    assert V3.structure(V3.random(np.random.default_rng(0))).convs_per_layer == 3
    assert V3.filter_choices == (6, 12, 24, 36)


@pytest.mark.parametrize("layers", range(3, 201))
def test_v3_has_two_poolings_between_layers_at_any_depth(layers):
    first, second = NasSpace(layers=layers, variant="v3").poolings
    assert 0 < first < second < layers


def test_more_filters_are_added_to_every_layer():
    space = NasSpace(layers=13, variant="v3", more_filters=40)
    stack = space.structure(space.random(np.random.default_rng(0)))
    assert {layer.filters for layer in stack.layers} <= {46, 52, 64, 76}


def test_own_filters_and_the_variants_are_one_space():
    assert NasSpace(filters=(24, 36, 48, 64)) == NasSpace()
    assert NasSpace(filters=(24, 36, 48, 64)).spec == "nas"
    assert get_space("nas:variant=v3,filters=6/12/24/36") == get_space("nas:variant=v3")


def test_forced_chain_and_free_chain_share_hashes():
    forced, free = NasSpace(layers=5, chain="forced"), NasSpace(layers=5)
    rng = np.random.default_rng(1)
    for _ in range(50):
        architecture = forced.random(rng)
        assert free.from_stack(forced.structure(architecture)).hash == architecture.hash


@pytest.mark.parametrize(
    "spec", ["nas:layers=6", "nas:layers=4,variant=v2", "nas:layers=6,variant=v3", "nas:chain=forced"]
)
def test_description_reads_back_as_the_canonical_architecture(spec):
    space, rng = get_space(spec), np.random.default_rng(6)
    for _ in range(30):
        architecture = space.random(rng)
        assert space.parse(str(architecture)) == space.canonical(architecture)


TWO = "1 3x3,36 [0]; 2 3x3,48 [1]"
UNREADABLE = [
    ("", "expected a layer like '1 3x3,36 [0]'"),
    (TWO.replace("2 3", "3 3"), "expected a layer like '2 3x3,36 [0]'"),
    ("1 3x3,36 [0]", "has 2 layers of 1 convolutions, got 1 of 1"),
    (TWO.replace("3x3,36", "2x3,36"), "layer 1 in space 'nas:layers=2': height is one of 1, 3, 5, 7, got 2"),
    (TWO.replace("48", "50"), "filters is one of 24, 36, 48, 64, got 50"),
    (TWO.replace("3x3,48", "3x3/2x1,48"), "stride height is one of 1, got 2"),
    (TWO.replace("[1]", "[0,1]"), "reads the image (0) alone or layers 1 to 1, got (0, 1)"),
    (TWO.replace("[1]", "[2]"), "reads the image (0) alone or layers 1 to 1, got (2,)"),
    (TWO.replace("[1]", "[]"), "reads the image (0) alone"),
]


@pytest.mark.parametrize(("text", "message"), UNREADABLE)
def test_unreadable_text(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        NasSpace(layers=2).parse(text)


def test_stacks_of_another_space():
    first, second = Layer(3, 3, 24, (0,)), Layer(3, 3, 24, (0,))
    with pytest.raises(InputError, match="unread layers"):
        NasSpace(layers=2).from_stack(LayerStack((first, second), (2,)))
    with pytest.raises(InputError, match="layer 1 and any before it"):
        NasSpace(layers=2, chain="forced").from_stack(LayerStack((first, second), (1, 2)))
    with pytest.raises(InputError, match="is of stage 0, got 1"):
        NasSpace(layers=2).from_stack(LayerStack((first, Layer(3, 3, 24, (1,), stage=1)), (2,)))


@pytest.mark.parametrize("spec", GOLDEN)
def test_hashes_stay_the_same_across_releases(spec):
    space = get_space(spec)
    architecture = space.decode([(7 * index + 3) % d.options for index, d in enumerate(space.decisions)])
    assert architecture.hash == GOLDEN[spec]
