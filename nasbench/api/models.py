"""Training of networks into model files from Python: `train_model`; `load_model` is in `nasbench.models.loading`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nasbench.protocols.protocol import Protocol, get_protocol, overridden

if TYPE_CHECKING:
    from nasbench.spaces import Architecture
    from nasbench.training.evaluation import Evaluation


def train_model(
    architecture: Architecture | str,
    path: str | os.PathLike[str],
    protocol: str | Protocol = "digits",
    *,
    set: Mapping[str, Any] | None = None,
    seed: int = 0,
    test: bool = True,
    device: str = "cpu",
    replace: bool = False,
    progress: bool = False,
) -> Evaluation:
    """Train one architecture and save the network in a file, which `load_model` reads. As `nasbench train`.

    The weights are those of a search's child with the same architecture, protocol and seed, to the bit. The same call
    continues an interrupted training.

    Args:
        architecture: an architecture of any space, its JSON text, or the name of a published one, e.g. "nasnet-a".
        path: the model file, e.g. "model.safetensors".
        protocol: the training protocol: a name, or a value of `get_protocol`.
        set: fields of the protocol to replace, e.g. {"epochs": 2}.
        seed: seed of initial weights, order and augmentation, >= 0.
        test: whether to score the test images, too.
        device: "cpu", "cuda" or "cuda:1".
        replace: whether a model of another training at the path may be replaced.
        progress: whether to print a line per epoch on standard error.

    Returns:
        Scores in [0, 1], counts, seconds and curves.

    Raises:
        InputError: when an argument cannot be used, the path holds another kind of file or another model, the protocol
            does not fit the data, or the training ends without a score, e.g. because it diverged.
        MissingData: when the data's files are not there.

    Example:
        >>> import nasbench
        >>> space = nasbench.get_space("nasbench201")
        >>> changes = {"data": "fake:images=96,size=8,classes=3", "epochs": 1}
        >>> scores = nasbench.train_model(space.decode([3, 3, 3, 1, 1, 1]), "first.safetensors", set=changes)
        >>> nasbench.load_model("first.safetensors").description.scores["val_acc"] == scores.val_acc
        True
    """
    from nasbench.api.evaluating import architecture_of
    from nasbench.models.training import train_into

    chosen = get_protocol(protocol) if isinstance(protocol, str) else protocol
    return train_into(
        path,
        architecture_of(architecture),
        overridden(chosen, set or {}),
        seed=seed,
        test=test,
        device=device,
        replace=replace,
        shown=progress,
    )
