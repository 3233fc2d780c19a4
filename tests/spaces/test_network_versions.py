"""What a space's architectures compute, pinned: who changes a network's function must raise the space's network version."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nasbench.errors import InputError
from nasbench.spaces import SPACES, get_space
from nasbench.structures import Scale

# (space, network version) -> sum of the logits of three architectures in evaluation, with weights that depend on their shapes alone
GOLDEN: dict[tuple[str, int], tuple[float, float, float]] = {
    ("amoebanet", 1): (3.579569627960884, 3.6480879914336803, 3.5606699964942847),
    ("conv-size", 1): (3.366993379323028, 3.5677986218152236, 3.574314812415465),
    ("darts", 1): (3.505639313585417, 3.0083912476618635, 3.8350880064289203),
    ("enas-macro", 1): (3.245358328760314, 3.249967678174965, 3.26165027710156),
    ("enas-micro", 1): (3.543242968386509, 2.6297718015512332, 3.5726231631085446),
    ("nas", 1): (3.359546556167346, 3.209344346053115, 3.5517152278557305),
    ("nasbench101", 1): (4.0757993221783675, 3.4433649946918488, 3.496870203122082),
    ("nasbench201", 2): (2.9518319475981967, 3.2809966509610375, 4.2411739521068474),
    ("nasbench-macro", 1): (3.2091478677299796, 3.8061933976162177, 3.4918556393506393),
    ("nasnet", 1): (3.584720250479082, 3.549053505471254, 3.3341641718282506),
    ("nats-size", 1): (36.63364442065923, 29.601499233476574, 521.9908070988714),
    ("pnas", 1): (3.407715874754441, 3.4176562056476456, 3.5885944149821913),
    ("transnas-macro", 1): (1.2934270138972777, 1.4611314340058774, 2.609323754129284),
    ("transnas-micro", 1): (2.5013569734318173, 2.7985787329458045, 2.156488450328616),
}


def weights_by_shape(network):
    """Give every parameter and running statistic values that depend on nothing but its shape."""
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                waves = torch.cos(torch.arange(value.numel(), dtype=torch.float64) * 0.7).view_as(value)
                value.copy_(waves / value[0].numel() ** 0.5 if value.dim() > 1 else 1 + 0.3 * waves)


def sums_of_logits(space):
    rng = np.random.default_rng(0)
    scale = Scale(cells=1, filters=8, image_size=16, classes=3)
    pixels = torch.arange(3 * 16 * 16, dtype=torch.float64)
    images = torch.sin(pixels * 0.3 + torch.cos(pixels * 0.11)).view(1, 3, 16, 16)
    found = []
    for _ in range(3):
        network = space.build(space.random(rng), scale).double().eval()
        weights_by_shape(network)
        with torch.no_grad():
            found.append(float(network(images).abs().sum()))
    return found


def test_every_space_of_ours_is_pinned_at_its_version():
    own = [space for name in SPACES if type(space := get_space(name)).__module__.startswith("nasbench.")]
    assert set(GOLDEN) == {(space.name, space.network_version) for space in own}


@pytest.mark.parametrize(("name", "version"), GOLDEN)
def test_networks_compute_what_they_did_at_this_version(name, version):
    """New values here go with a new version, and nothing else."""
    assert sums_of_logits(get_space(name)) == pytest.approx(GOLDEN[name, version], rel=1e-9)


def test_an_earlier_versions_networks_can_be_built_and_are_no_option():
    latest, first = get_space("nasbench201"), get_space("nasbench201").with_networks(1)
    assert (latest.built_version, first.built_version) == (2, 1)
    assert latest.with_networks(2) == latest
    assert first.spec == latest.spec == "nasbench201"
    assert sums_of_logits(first) != pytest.approx(sums_of_logits(latest), rel=1e-6)
    assert first.with_networks(2) == latest
    with pytest.raises(InputError, match="no option 'networks'"):
        get_space("nasbench201:networks=1")
    for version in (0, 3):
        with pytest.raises(InputError, match="networks of version 1 to 2"):
            latest.with_networks(version)
