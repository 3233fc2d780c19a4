"""`nasbench.evaluate`, architectures in notebooks, and counts without a scale."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from fake_images import FAKE

import nasbench
from nasbench.errors import InputError
from nasbench.spaces import SPACES
from nasbench.spaces.genotypes import GENOTYPES


def test_an_evaluation_is_what_a_search_gives(tiny):
    run = tiny(seed=2)
    row = run.frame("search").iloc[0]
    first = nasbench.from_json(f'{{"space": "nasnet:blocks=1", "choices": {row["choices"]}}}')
    found = nasbench.evaluate(first, set=FAKE, seed=2)
    assert (found.status, found.val_acc, found.params) == ("ok", row["val_acc"], row["params"])
    assert math.isnan(found.test_acc)
    assert len(found.curves["val_acc"]) == 1


def test_the_test_images_are_scored_only_when_asked_for():
    architecture = nasbench.get_space("nasbench201").decode([3, 3, 3, 1, 1, 1])
    protocol = nasbench.get_protocol("digits", FAKE)
    scored = nasbench.evaluate(architecture, protocol, test=True)
    assert 0 <= scored.test_acc <= 1
    assert scored.val_acc == nasbench.evaluate(architecture.to_json(), protocol).val_acc


def test_a_published_architecture_is_known_by_its_name():
    found = nasbench.evaluate("pnasnet-5", set={**FAKE, "filters": 2})
    assert found.status == "ok"


def test_time_that_is_over_is_an_outcome():
    architecture = nasbench.get_space("nasbench201").decode([3] * 6)
    assert nasbench.evaluate(architecture, set=FAKE, timeout=1e-9).status == "timed_out"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"architecture": "nasnet-b"}, "no architecture 'nasnet-b'; allowed: its JSON, or one of .*nasnet-a"),
        ({"set": {"epoch": 2}}, "no field 'epoch', did you mean 'epochs'"),
        ({"timeout": 0}, "timeout is in seconds"),
        ({"device": "cuda:99"}, "is not on this machine"),
        ({"protocol": "digit"}, "did you mean 'digits'"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(fields, why):
    given = {"architecture": nasbench.get_space("nasbench201").decode([3] * 6), "set": FAKE}
    with pytest.raises(InputError, match=why) as error:
        nasbench.evaluate(**{**given, **fields})
    assert "\n" not in str(error.value)


def test_every_published_genotype_has_an_architecture():
    from nasbench.tabular.named_networks import named_architecture

    assert {name for name in GENOTYPES if named_architecture(name).hash} == set(GENOTYPES)


@pytest.mark.parametrize("name", sorted(SPACES))
def test_every_space_counts_at_the_scale_of_its_protocol(name):
    space = nasbench.get_space(name)
    architecture = space.random(np.random.default_rng(0))
    protocol = nasbench.get_protocol(space.default_protocol)
    assert protocol.data == "cifar10"
    scale = protocol.scale(32, 3, 10)
    assert (space.default_scale == scale) != bool(space.default_size), "the size of another benchmark has a name"
    scale = space.default_scale
    assert space.count(architecture) == space.count(architecture, scale)
    assert space.count(architecture, protocol.scale(16, 3, 10)).mult_adds < space.count(architecture).mult_adds


def test_nasbench201_counts_what_its_paper_prints():
    """Largest cell: 1.5315 M parameters and 220.12 M multiply-adds in the table of NAS-Bench-201 for CIFAR-10."""
    space = nasbench.get_space("nasbench201")
    counts = space.count(space.decode([3] * 6))
    assert (round(counts.params / 1e6, 4), round(counts.mult_adds / 1e6, 2)) == (1.5315, 220.12)


def test_the_shape_of_unread_data_is_not_guessed():
    from nasbench.data import image_shape, load_data

    digits = load_data("digits")
    assert image_shape("digits") == (digits.size, digits.channels, len(digits.classes))
    with pytest.raises(InputError, match="known only after it is read"):
        image_shape("folder:pictures")


@pytest.mark.parametrize("name", sorted(SPACES))
def test_an_architecture_is_drawn_in_a_notebook(name):
    space = nasbench.get_space(name)
    architecture = space.random(np.random.default_rng(1))
    page = architecture._repr_html_()
    assert page.count("<svg") == 1
    assert architecture.hash in page
    assert f"{space.count(architecture).params:,} parameters" in page
    assert not re.search(r"<script|http", page)
