"""Sizes N@F, their exact counts, and the published rows beside them."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from nasbench.errors import InputError
from nasbench.networks.cells import build_cell_network
from nasbench.networks.skeletons import plan_network
from nasbench.spaces.genotypes import GENOTYPES, NASNET_A, skeleton_of
from nasbench.structures import Block, Cell, CellPair
from nasbench.tabular.published import published
from nasbench.transfer.family import (
    AMOEBANET,
    NASNET,
    cifar_scale,
    count_member,
    family_of,
    filters_multiple,
    imagenet_scale,
    parse_sizes,
    published_row,
)


def member(name, size, scale_of=imagenet_scale):
    pair, skeleton = GENOTYPES[name], skeleton_of(name)
    (parsed,) = parse_sizes(size, name, pair, skeleton, family_of(name))
    return count_member(pair, parsed, scale_of(parsed), skeleton)


def cifar(size):
    return cifar_scale(size, 10)


@pytest.mark.parametrize(
    ("name", "size", "scale_of", "params", "mult_adds", "model"),
    [
        ("nasnet-a", "4@1056", imagenet_scale, 5_289_978, 563_638_816, "NASNet-A 4@1056"),
        ("nasnet-a", "6@4032", imagenet_scale, 88_753_150, 23_783_414_658, "NASNet-A 6@4032"),
        ("nasnet-a", "6@768", cifar, 3_346_538, 544_333_312, "NASNet-A 6@768"),
        ("pnasnet-5", "4@4320", imagenet_scale, 86_057_668, 24_937_395_792, "PNASNet-5 large"),
        ("pnasnet-5", "3@960", cifar, 3_189_082, 574_891_392, "PNASNet-5 CIFAR"),
        ("amoebanet-a", "6@32", cifar, 2_567_754, 407_671_808, "AmoebaNet-A (N=6 F=32)"),
        ("amoebanet-a", "6@36", cifar, 3_218_266, 509_668_992, "AmoebaNet-A (N=6 F=36)"),
        ("amoebanet-a", "6@190", imagenet_scale, 86_718_797, 23_133_663_507, "AmoebaNet-A (N=6 F=190)"),
        ("amoebanet-a", "6@448", imagenet_scale, 468_151_184, 126_520_757_776, "AmoebaNet-A (N=6 F=448)"),
    ],
)
def test_exact_counts_and_their_published_rows(name, size, scale_of, params, mult_adds, model):
    found = member(name, size, scale_of)
    row = published_row(published(), name, found)
    assert found.counts == (params, mult_adds)
    assert row.model == model
    assert math.isnan(row.params) or row.params == pytest.approx(params, rel=0.02)


def test_names_go_by_what_the_cells_paper_means_by_f_and_a_slash_by_the_initial_filters():
    """16 x F are the filters before AmoebaNet-A's classifier, 24 x F before NASNet-A's."""
    for name, text, filters, depth, written in [
        ("amoebanet-a", "6@190", 190, 3040, "6@190"),
        ("amoebanet-a", "6/190", 190, 3040, "6@190"),
        ("amoebanet-a", "6@448", 448, 7168, "6@448"),
        ("nasnet-a", "6@4032", 168, 4032, "6@4032"),
        ("nasnet-a", "6/168", 168, 4032, "6@4032"),
        ("pnasnet-5", "4/216", 216, 4320, "4@4320"),
    ]:
        (size,) = parse_sizes(text, name, GENOTYPES[name], skeleton_of(name), family_of(name))
        assert (size.cells, size.filters, size.depth, str(size)) == (int(text[0]), filters, depth, written)
    with pytest.raises(InputError, match="names 6@4032 twice"):
        parse_sizes("6@4032,6/168", "nasnet-a", NASNET_A, "nasnet")
    with pytest.raises(InputError, match=r"F initial filters, e\.g\. 6@190"):
        parse_sizes("6x190", "amoebanet-a", GENOTYPES["amoebanet-a"], "nasnet", AMOEBANET)


def test_stems_on_imagenet():
    """NASNet's and PNASNet's large networks keep 96 filters and their mobile ones 32; AmoebaNet has 32 at every F. On CIFAR all have 3F."""
    for name, text, filters in [
        ("nasnet-a", "6@4032", 96),
        ("nasnet-a", "4@1056", 32),
        ("pnasnet-5", "4@4320", 96),
        ("amoebanet-a", "6@190", 32),
        ("amoebanet-a", "4@50", 32),
    ]:
        pair, skeleton = GENOTYPES[name], skeleton_of(name)
        (size,) = parse_sizes(text, name, pair, skeleton, family_of(name))
        assert plan_network(imagenet_scale(size), skeleton).stem_filters == filters
        assert plan_network(cifar_scale(size, 10), skeleton).stem_filters == 3 * size.filters
    assert {family_of(name) for name in GENOTYPES if name != "amoebanet-a"} == {NASNET}


def test_the_mobile_pnasnet_is_of_the_printed_size():
    found = member("pnasnet-5", "3@1080")
    row = published_row(published(), "pnasnet-5", found)
    assert (row.model, row.top1_acc) == ("PNASNet-5 mobile", 0.742)
    assert found.counts.params == pytest.approx(row.params, rel=0.01)
    assert found.counts.mult_adds == pytest.approx(row.mult_adds, rel=0.002)


def test_rows_of_another_image_size_number_of_classes_or_architecture_are_not_shown():
    (size,) = parse_sizes("4@1056", "nasnet-a", NASNET_A, "nasnet")
    smaller = count_member(NASNET_A, size, imagenet_scale(size, pixels=192), "nasnet")
    assert published_row(published(), "nasnet-a", smaller) is None
    fewer = count_member(NASNET_A, size, imagenet_scale(size, classes=10), "nasnet")
    assert published_row(published(), "nasnet-a", fewer) is None
    assert published_row(published(), "0123456789ab", member("nasnet-a", "4@1056")) is None


@pytest.mark.parametrize(
    ("name", "skeleton", "cells"), [("nasnet-a", "nasnet", 1), ("pnasnet-5", "pnas", 1), ("amoebanet-a", "nasnet", 2)]
)
def test_the_depth_is_what_the_classifier_of_the_built_network_reads(name, skeleton, cells):
    pair = GENOTYPES[name]
    multiple = filters_multiple(pair, cells, skeleton)
    (size,) = parse_sizes(f"{cells}@{4 * multiple}", name, pair, skeleton)
    network = build_cell_network(pair, cifar_scale(size, 10, 16), skeleton=skeleton)
    assert size.filters == 4
    assert [module.in_features for module in network.classifier.modules() if hasattr(module, "in_features")] == [
        size.depth
    ]


def test_a_block_that_concatenates_counts_twice():
    cell = Cell((Block(0, "identity", 1, "identity", "concat"), Block(0, "identity", 1, "identity")), (2, 3))
    assert filters_multiple(CellPair(cell, cell), 3, "nasnet") == 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4", "size '4' should read N@F"),
        ("4@", "should read N@F"),
        ("0@1056", "should read N@F"),
        ("4@1056,,6@4032", "size '' should read N@F"),
        ("４@1056", "should read N@F"),
        ("5@1538", "24 x its initial filters .* nearest: 5@1536 or 5@1560"),
        ("4@23", "nearest: 4@24$"),
        ("4@1056,6@4032,4@1056", "names 4@1056 twice"),
    ],
)
def test_bad_sizes_say_what_is_allowed(text, message):
    with pytest.raises(InputError, match=message):
        parse_sizes(text, "nasnet-a", NASNET_A, "nasnet")


def test_counting_a_family_imports_no_torch():
    code = "import sys, nasbench.transfer.family; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
