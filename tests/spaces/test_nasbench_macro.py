"""The space of NAS-Bench-Macro: the benchmark's strings, hashes, and its published counts."""

from __future__ import annotations

import json

import pytest
from public_tables import needs, table

from nasbench.errors import InputError
from nasbench.spaces import get_space

SPACE = get_space("nasbench-macro")


def test_networks_that_differ_in_the_places_of_identities_have_one_hash() -> None:
    """The benchmark trained 3,969 networks: 3 x 3 in the first stage, 3 x 7 in each of the others."""
    found = list(SPACE.enumerate())
    assert len(found) == SPACE.size == 6_561
    assert len({architecture.hash for architecture in found}) == (3 * 3) * (3 * 7) ** 2 == 3_969


def test_an_identity_at_the_start_of_a_stage_is_a_convolution() -> None:
    same, other = SPACE.parse("01000000"), SPACE.parse("10000000")
    assert same.hash != other.hash
    assert SPACE.parse("00001000").hash == SPACE.parse("00010000").hash
    assert SPACE.parse("00001000").hash != SPACE.parse("00100000").hash
    assert str(SPACE.canonical(SPACE.parse("00002012"))) == "00020012"


@pytest.mark.parametrize("text", ["", "0201210", "02012103", "02012100 1", "(0,2,0,1,2,1,0,0)"])
def test_other_texts_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="8 digits 0 to 2") as caught:
        SPACE.parse(text)
    assert "\n" not in str(caught.value)


def test_published_counts_of_three_networks() -> None:
    """Source: nas-bench-macro_cifar10.json of the benchmark's repository."""
    for text, params, flops in (
        ("02012100", 890_666, 47_327_744),
        ("11111221", 2_181_386, 65_012_224),
        ("22212220", 1_985_514, 85_164_544),
    ):
        assert SPACE.count(SPACE.parse(text)) == (params, flops)


@needs("nas-bench-macro_cifar10.json")
def test_published_counts_of_all_networks() -> None:
    published = json.loads(table("nas-bench-macro_cifar10.json").read_text())
    assert len(published) == 6_561
    differing = [t for t, row in published.items() if SPACE.count(SPACE.parse(t)) != (row["params"], row["flops"])]
    assert differing == []
