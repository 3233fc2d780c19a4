"""NAS-Bench-201: official strings and indices, and its number of different cells derived in every reading."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nasbench.errors import InputError
from nasbench.spaces.nasbench201 import NasBench201Space
from nasbench.structures import EdgeCell, EdgeOperation

SPACE = NasBench201Space()
RESNET = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
TABLE = Path(os.environ.get("NASBENCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "nb201_tss.npz"
GOLDEN = {
    RESNET: "a9827a59a84aff782b0a80551637c644",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|": "b76ea26c6096069e914f424623807939",
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|": "912e45a0ac81972175871d08bcaf7cdf",
}


@pytest.fixture(scope="module")
def cells():
    return list(SPACE.enumerate())


def cell(*operations):
    names = {"0": "none", "s": "skip_connect", "1": "nor_conv_1x1", "3": "nor_conv_3x3", "p": "avg_pool_3x3"}
    return SPACE.decode([SPACE.decisions[0].labels.index(names[letter]) for letter in operations])


def test_official_order_is_reproduced(cells):
    """The digest is that of the table's strings, which the next test compares where the table is there."""
    texts = [str(architecture) for architecture in cells]
    assert len(set(texts)) == 15_625
    assert (
        hashlib.sha256("\n".join(texts).encode()).hexdigest()
        == "83abc799e45cf34e9d2163654668ab998b9a54d01c39e72ca1f71f2cdf356d84"
    )
    assert [SPACE.index(architecture) for architecture in cells] == list(range(15_625))


@pytest.mark.skipif(not TABLE.exists(), reason=f"needs {TABLE.name} (NASBENCH_SHARED_DATA names its folder)")
def test_official_order_is_the_tables(cells):
    with np.load(TABLE) as table:
        assert tuple(table["op_names"]) == SPACE.decisions[0].labels
        assert (np.array([architecture.choices for architecture in cells]) == table["ops"]).all()
        assert [str(architecture) for architecture in cells] == [text.decode() for text in table["arch_str"]]


def test_strings_read_back(cells):
    assert all(SPACE.parse(str(architecture)) == architecture for architecture in cells[::7])


def test_structure_removes_zeros_identities_and_dead_edges():
    assert SPACE.structure(SPACE.parse(RESNET)) == EdgeCell(
        (EdgeOperation("nor_conv_3x3", (0,)), EdgeOperation("nor_conv_3x3", (1,))), (0, 2)
    )
    assert SPACE.structure(cell(*"300000")) == EdgeCell((), ())  # nothing reads node 1
    assert SPACE.structure(cell(*"003003")) == EdgeCell((), ())  # node 1 and so node 2 are zero
    assert SPACE.structure(cell(*"sss000")) == EdgeCell((), ())
    assert SPACE.structure(cell(*"ss0sss")) == EdgeCell((), (0, 0, 0))
    assert SPACE.structure(cell(*"3ss00s")) == EdgeCell((EdgeOperation("nor_conv_3x3", (0,)),), (0, 1))


def test_one_operation_added_twice_is_not_two_operations():
    doubled, independent = cell(*"30s0ss"), cell(*"03030s")
    assert (SPACE.structure(doubled).out, SPACE.structure(independent).out) == ((1, 1), (1, 2))
    assert doubled.hash != independent.hash


def test_pools_are_not_rewritten():
    """A pool of x + conv(x) is not the sum of the pools, and one pool added twice is not two pools."""
    assert cell(*"3s000p").hash != cell(*"3000pp").hash
    assert cell(*"3ss00p").hash != cell(*"300pp0").hash
    assert cell(*"p0s0ss").hash != cell(*"0p0p0s").hash


def expression(architecture, *, zero, keep_zeros=True, flatten=False):
    """The nested text of the output: the definition behind the published count, written here from its description.

    A node is the sorted terms of its edges joined by "+": a skip gives its source's text, an operation "(source)@op".

    Args:
        architecture: the cell.
        zero: whether "none" and operations on a zero node give "#"; otherwise "none" is an operation like others.
        keep_zeros: whether "#" stays as a term of a sum.
        flatten: whether a sum that is skipped into another gives its terms instead of one text.
    """
    nodes = [["0"], [], [], []]
    choices = iter(architecture.choices)
    labels = SPACE.decisions[0].labels
    for node in (1, 2, 3):
        terms = []
        for source in range(node):
            operation, text = labels[next(choices)], "+".join(nodes[source])
            if zero and (operation == "none" or text in ("#", "")):
                terms += ["#"] if keep_zeros else []
            elif operation == "skip_connect":
                terms += nodes[source] if flatten else [text]
            else:
                terms.append(f"({text})@{operation}")
        nodes[node] = sorted(terms)
    return "+".join(nodes[3])


def pairs(names):
    return sum(count * (count - 1) // 2 for count in Counter(names).values())


def test_number_of_different_cells_in_every_reading(cells):
    hashes = [architecture.hash for architecture in cells]
    assert len(set(hashes)) == 5_425

    every_op = [expression(architecture, zero=False) for architecture in cells]
    published = [expression(architecture, zero=True) for architecture in cells]
    flat = [expression(architecture, zero=True, keep_zeros=False, flatten=True) for architecture in cells]
    assert len(set(every_op)) == 12_751  # identity understood, zero not
    assert len(set(published)) == 6_466  # the published count
    assert len(set(flat)) == 4_930  # the same texts without zero terms and with sums flattened
    # Both the published reading and ours refine the flat texts: ours by telling shared operations from equal ones, nothing else.
    assert len(set(zip(published, flat))) == 6_466
    assert len(set(zip(hashes, flat))) == 5_425
    # Pairs of cells that each reading merges, and that both do.
    assert pairs(published) == 274_936
    assert pairs(hashes) == 740_282
    assert pairs(zip(published, hashes)) == 272_726


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        ("01010s", "10s0ss", "#+#+(0)@nor_conv_1x1+(0)@nor_conv_1x1"),  # two convolutions; one convolution doubled
        (
            "010101",
            "10s0s1",
            "#+(#+(0)@nor_conv_1x1)@nor_conv_1x1+(0)@nor_conv_1x1",
        ),  # the second reads a third; the first
    ],
)
def test_pairs_that_the_published_texts_merge_and_we_keep_apart(one, other, text):
    assert expression(cell(*one), zero=True) == expression(cell(*other), zero=True) == text
    assert cell(*one).hash != cell(*other).hash


@pytest.mark.parametrize(
    ("one", "other", "texts"),
    [
        ("000100", "01000s", ("#+#+(0)@nor_conv_1x1", "#+#+#+(0)@nor_conv_1x1")),  # more zeros added
        ("000s00", "000s0p", ("#+#+0", "#+(#+#)@avg_pool_3x3+0")),  # a pool of zero plus zero
        (
            "ss13ss",
            "ss31ss",
            ("(0)@nor_conv_1x1+0+(0)@nor_conv_3x3+0", "(0)@nor_conv_1x1+(0)@nor_conv_3x3+0+0"),
        ),  # brackets
    ],
)
def test_pairs_that_we_merge_and_the_published_texts_keep_apart(one, other, texts):
    assert (expression(cell(*one), zero=True), expression(cell(*other), zero=True)) == texts
    assert cell(*one).hash == cell(*other).hash


def test_canonical_is_the_smallest_index_of_the_class(cells):
    first: dict[str, int] = {}
    for index, architecture in enumerate(cells):
        first.setdefault(architecture.hash, index)
    for architecture in cells[::11]:
        canonical = SPACE.canonical(architecture)
        assert SPACE.index(canonical) == first[architecture.hash]
        assert SPACE.canonical(canonical) == canonical


def test_hash_of_one_cell_needs_no_table():
    code = (
        "from nasbench.spaces import nasbench201 as m; m.NasBench201Space().decode([3] * 6).hash; "
        "print(m._official_order.cache_info().currsize, m._smallest.cache_info().currsize)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0 0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a cell is written"),
        (RESNET[:-1], "a cell is written"),
        (RESNET + "|none~0|", "a cell is written"),
        (RESNET.replace("none~1", "none~2", 1), "a cell is written"),
        (RESNET.replace("none", "nor_conv_3x4"), "did you mean 'nor_conv_3x3'"),
    ],
)
def test_bad_strings(text, message):
    with pytest.raises(InputError, match=re.escape(message)):
        SPACE.parse(text)


@pytest.mark.parametrize("text", GOLDEN)
def test_hashes_stay_the_same_across_releases(text):
    assert SPACE.parse(text).hash == GOLDEN[text]
