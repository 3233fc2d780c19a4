"""An untrained network, and the one minibatch with which it is scored."""

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

MINIBATCH = 128  # images, as in Mellor et al. 2020 (2006.04647)


@contextmanager
def untrained(scoring_input: ScoringInput) -> Iterator[Network]:
    """Build the untrained network of a score, as a context manager.

    The network is the one from which training with this seed starts, but without drop-path, dropout and auxiliary head.
    It is on the device of `scoring_input`, in training mode, and the block may change it. Computations in the block
    give bit for bit the same values on one machine. Afterwards, torch's settings and global random states are restored.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Yields:
        The network.

    Raises:
        InputError: when the device is not there, the network cannot be built, or kernels are portable and the process
            was not started for them.
    """
    place, protocol = resolve_device(scoring_input.device), scoring_input.protocol
    with reproducible(place, protocol.threads, protocol.kernels):
        seed_device(place, Seeds.of(scoring_input.seed).weights)
        network = scoring_input.architecture.space.build(scoring_input.architecture, scoring_input.scale).to(place)
        if protocol.channels_last:
            network = network.to(memory_format=torch.channels_last)
        yield network.train()


def minibatch(scoring_input: ScoringInput) -> tuple[Tensor, Tensor]:
    """Return 128 training images, drawn by the seed, whitened and not augmented; all of them if there are fewer.

    They are drawn from the training images of the protocol's split.

    Args:
        scoring_input: the architecture, and everything else on which its score depends.

    Returns:
        Images float32 [batch, channels, height, width] and labels int64 [batch]. Later calls may return the same
        tensors, so do not change them.

    Raises:
        InputError: when the device is not there.
    """
    protocol = scoring_input.protocol
    digest = load_data(protocol.data).digest
    return _minibatch(protocol, scoring_input.seed, resolve_device(scoring_input.device), digest)


@lru_cache(maxsize=2)
def _minibatch(protocol: Protocol, seed: int, place: torch.device, digest: str) -> tuple[Tensor, Tensor]:
    """Draw from the images of a digest: `provide_data` may give others under the same text."""
    data = load_data(protocol.data)
    chosen, _ = data.split(protocol.validation, protocol.split_seed)
    if protocol.train_images:
        chosen = chosen[: protocol.train_images]
    whitening = Whitening.of(data.train.pixels[chosen]) if protocol.whiten else Whitening.none(data.channels)
    drawn = chosen[permutation(len(chosen), Seeds.of(seed).order)[:MINIBATCH]]
    images = Images(data.train.pixels[drawn], data.train.labels[drawn])
    return next(ResidentImages(images, whitening, protocol.channels_last, place).batches(MINIBATCH))


def weights_of(network: nn.Module) -> list[Tensor]:
    """Collect the weights of all convolutions and fully connected layers, without biases and BatchNorms.

    Args:
        network: the network.

    Returns:
        The weight tensors, in the order of `network.modules()`.
    """
    return [module.weight for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
