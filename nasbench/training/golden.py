"""Golden trainings: small trainings whose bits are known; with portable kernels every x86-64 processor must give them.

Together they use every space that ships, all kinds of operations, optimizers and augmentation, drop-path, dropout, an auxiliary
classifier, images of 8, 16 and 32 pixels, and both memory formats. docs/bits.md lists the processors and versions of
torch that gave these bits.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import Architecture, get_space
from nasbench.training.evaluation import Child, Evaluation


@dataclass(frozen=True)
class Golden:
    """A training whose result is known to the bit.

    Args:
        name: what the training covers.
        space: name of the space, with its options.
        choices: choices of the architecture.
        changes: fields of the protocol "digits" to replace.
        digest: `digest_of_evaluation` of its result with portable kernels on x86-64, 16 hexadecimal digits.
    """

    name: str
    space: str
    choices: Sequence[int]
    changes: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    def child(self) -> Child:
        """Return the training as a child, with portable kernels, seed 0 and test scores."""
        protocol = get_protocol("digits", {"kernels": "portable", **self.changes})
        return Child(Architecture(get_space(self.space), tuple(self.choices)), protocol, seed=0, test=True)


def digest_of_evaluation(evaluation: Evaluation) -> str:
    """Return a digest of the bits of each epoch's losses and accuracies, and of the test scores.

    Args:
        evaluation: result of a training with the status "ok".

    Returns:
        16 hexadecimal digits; times and memory do not change them.
    """
    names = ("train_loss", "train_acc", "val_loss", "val_acc")
    values = [value for name in names for value in evaluation.curves[name]]
    values += [evaluation.test_loss, evaluation.test_acc]
    return hashlib.blake2b(struct.pack(f"<{len(values)}d", *values), digest_size=8).hexdigest()


@dataclass(frozen=True)
class GoldenOutcome:
    """Result of a golden training on this machine.

    Args:
        golden: the golden training.
        digest: digest of its result on this machine; "" unless the status is "ok".
        status: status of the training.
        error: error of the training in one line; "" for none.
        seconds: device-seconds of the training.
    """

    golden: Golden
    digest: str
    status: str
    error: str
    seconds: float

    @property
    def agrees(self) -> bool:
        """True if the bits are as expected."""
        return self.digest == self.golden.digest


@lru_cache(maxsize=1)
def golden_here() -> bool:
    """Return True if all golden trainings give the expected bits on this machine.

    The first call takes about twenty seconds; later calls in the same process return the same result.
    """
    return all(outcome.agrees for outcome in train_golden())


def train_golden(cases: Sequence[Golden] | None = None) -> list[GoldenOutcome]:
    """Run golden trainings on this machine, with portable kernels.

    Args:
        cases: the trainings to run; None for all of `GOLDEN`.

    Returns:
        One outcome per training, in the same order.
    """
    from nasbench.training.evaluate import evaluate

    outcomes = []
    for golden in GOLDEN if cases is None else cases:
        evaluation = evaluate(golden.child())
        digest = digest_of_evaluation(evaluation) if evaluation.status == "ok" else ""
        outcomes.append(GoldenOutcome(golden, digest, evaluation.status, evaluation.error, evaluation.device_seconds))
    return outcomes


_SMALL_COLOURS: Final = {"data": "fake:images=96,size=16,channels=3,classes=10", "validation": 0.5, "batch_size": 16}
_COLOURS: Final = {"data": "fake:images=96,size=32,channels=3,classes=10", "validation": 0.5, "batch_size": 16}

GOLDEN: Final = (
    Golden("edges", "nasbench201", (2, 3, 4, 1, 2, 3), {"filters": 4, "epochs": 1}, digest="755a159695114b3e"),
    Golden(
        "cells with drop-path, cutout and clipping",
        "nasnet:blocks=3",
        (0, 1, 9, 12, 0, 0, 2, 12, 3, 0, 3, 1, 3, 10, 0, 0, 1, 7, 1, 0, 2, 2, 10, 6, 1, 1, 1, 10, 1, 0),
        {
            "filters": 8,
            "epochs": 1,
            "train_images": 160,
            "drop_path_keep": 0.7,
            "cutout": 4,
            "clip_norm": 5.0,
            "optimizer": "sgd",
        },
        digest="b2b135faaccb9d3d",
    ),
    Golden(
        "layers with strides and factored filters",
        "nas:layers=4,variant=v2,filters=8/12/16,strides=1/2",
        (3, 2, 1, 0, 0, 0, 0, 0, 0, 2, 1, 3, 2, 1, 1, 2, 1, 1, 2, 3, 0, 1, 2, 0, 0, 1),
        {"epochs": 1, "schedule": "step"},
        digest="feaeeb82cbe8acc1",
    ),
    Golden(
        "macro with dropout",
        "enas-macro:layers=6",
        (5, 3, 1, 1, 0, 0, 0, 0, 0, 1, 3, 1, 1, 1, 1, 4, 1, 1, 1, 1, 0),
        {"filters": 8, "epochs": 1, "dropout": 0.3, "label_smoothing": 0.1},
        digest="99dfb959f60c13f2",
    ),
    Golden(
        "vertices",
        "nasbench101",
        (1, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1),
        {"filters": 8, "epochs": 1, "channels_last": False},
        digest="d36decdb68b2c683",
    ),
    Golden(
        "cells of PNAS on 32 pixels, upsampled, cropped and flipped",
        "pnas:blocks=3",
        (1, 0, 0, 2, 1, 2, 3, 0, 1, 2, 6, 5),
        {
            **_COLOURS,
            "filters": 6,
            "epochs": 1,
            "enlarge": "upsample",
            "crop_from": 40,
            "flip": True,
            "optimizer": "rmsprop",
            "learning_rate": 0.01,
        },
        digest="d5177f388e46a3d5",
    ),
    Golden(
        "cells of AmoebaNet on 32 pixels with an auxiliary head",
        "amoebanet:blocks=2",
        (1, 1, 4, 2, 0, 0, 0, 0, 0, 1, 5, 7, 1, 1, 7, 5),
        {**_COLOURS, "filters": 6, "epochs": 1, "auxiliary_weight": 0.4, "schedule": "one_cycle", "warmup": 0.25},
        digest="626039c825cd7855",
    ),
    Golden(
        "edges on 32 pixels",
        "nasbench201",
        (3, 2, 4, 3, 1, 2),
        {**_COLOURS, "filters": 8, "epochs": 1, "enlarge": "pad", "crop_from": 40},
        digest="942d19f240757bd5",
    ),
    Golden(
        "convolutions of several widths, at a constant learning rate",
        "conv-size",
        (3, 0, 2, 1, 3),
        {"epochs": 2, "train_images": 160, "schedule": "constant"},
        digest="164fae50c7aea82f",
    ),
    Golden(
        "cells of DARTS with drop-path",
        "darts",
        (0, 5, 0, 0, 1, 1, 4, 6, 4, 0, 0, 2, 0, 3, 4, 1, 1, 1, 4, 5, 0, 1, 3, 2),
        {"filters": 4, "epochs": 1, "train_images": 160, "drop_path_keep": 0.8},
        digest="e1066e090b9af62f",
    ),
    Golden(
        "cells of ENAS",
        "enas-micro:blocks=3",
        (1, 0, 0, 1, 0, 4, 2, 2, 0, 0, 1, 2, 1, 2, 0, 0, 2, 3, 0, 0, 1, 1, 3, 2),
        {"filters": 8, "epochs": 1, "train_images": 160},
        digest="1a6fdc7deae71434",
    ),
    Golden(
        "inverted residual blocks on 32 pixels",
        "nasbench-macro",
        (2, 0, 1, 0, 2, 2, 0, 1),
        {**_COLOURS, "filters": 4, "epochs": 1},
        digest="d03276c4fa781776",
    ),
    Golden(
        "widths of NATS-Bench on 16 pixels",
        "nats-size",
        (6, 0, 3, 1, 7),
        {**_SMALL_COLOURS, "epochs": 1},
        digest="ec52e83848f3b57e",
    ),
    Golden(
        "modules of TransNAS-Bench-101 on 32 pixels",
        "transnas-macro",
        (2, 2, 1, 2, 1, 3),
        {**_COLOURS, "filters": 4, "epochs": 1},
        digest="c9e03f7e764b5a3e",
    ),
    Golden(
        "edges of TransNAS-Bench-101 on 32 pixels",
        "transnas-micro",
        (1, 2, 3, 3, 2, 1),
        {**_COLOURS, "filters": 4, "epochs": 1},
        digest="67a9723e80efe3d7",
    ),
)
