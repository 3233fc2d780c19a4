"""A network before its training, and the one minibatch it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor, nn

from nasbench.data import Images, load_data
from nasbench.data.dataset import permutation
from nasbench.networks.base import Network
from nasbench.protocols.protocol import Protocol
from nasbench.training.augmentation import ResidentImages, Whitening
from nasbench.training.evaluate import resolve_device
from nasbench.training.loop import Seeds, reproducible, seed_device
from nasbench.zero_cost.scoring_input import ScoringInput

MINIBATCH = 128  # images; the size of Mellor et al. 2020 (2006.04647)


@contextmanager
def untrained(scoring_input: ScoringInput) -> Iterator[Network]:
    """A fresh network in training mode on the scoring_input's device, without drop-path, dropout and auxiliary head.

    It is the network that training with this seed would start from, and the block's to change. All that is computed in the block gives
    the same bits on the same machine; torch's settings and global random states come back afterwards.

    Raises:
        InputError: when the device is not there or the network cannot be built.
    """
    place, protocol = resolve_device(scoring_input.device), scoring_input.protocol
    with reproducible(place, protocol.threads, protocol.kernels):
        seed_device(place, Seeds.of(scoring_input.seed).weights)
        network = scoring_input.architecture.space.build(scoring_input.architecture, scoring_input.scale).to(place)
        if protocol.channels_last:
            network = network.to(memory_format=torch.channels_last)
        yield network.train()


def minibatch(scoring_input: ScoringInput) -> tuple[Tensor, Tensor]:
    """128 training images of the protocol's split drawn by the seed, whitened, not augmented; all where there are fewer.

    Returns:
        Images float32 [b, c, h, w] and labels int64 [b], shared by later calls: not to be changed.
    """
    return _minibatch(scoring_input.protocol, scoring_input.seed, resolve_device(scoring_input.device))


@lru_cache(maxsize=2)
def _minibatch(protocol: Protocol, seed: int, place: torch.device) -> tuple[Tensor, Tensor]:
    data = load_data(protocol.data)
    chosen, _ = data.split(protocol.validation, protocol.split_seed)
    if protocol.train_images:
        chosen = chosen[: protocol.train_images]
    whitening = Whitening.of(data.train.pixels[chosen]) if protocol.whiten else Whitening.none(data.channels)
    drawn = chosen[permutation(len(chosen), Seeds.of(seed).order)[:MINIBATCH]]
    images = Images(data.train.pixels[drawn], data.train.labels[drawn])
    return next(ResidentImages(images, whitening, protocol.channels_last, place).batches(MINIBATCH))


def weights_of(network: nn.Module) -> list[Tensor]:
    """The weights of all convolutions and fully connected layers, without biases and BatchNorm's."""
    return [module.weight for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
