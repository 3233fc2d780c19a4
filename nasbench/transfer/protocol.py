"""The protocol of trainings on images in folders, of data sets that do not fit in memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nasbench.errors import UnknownName
from nasbench.protocols.identity import NEVER, digest_of, identity_fields, unless
from nasbench.protocols.protocol import with_overrides
from nasbench.structures import Regularization

FINGERPRINT_VERSION = 1


class TransferProtocol(BaseModel):
    """Settings of training and scoring a network on images in folders, frozen and validated.

    Each field's description states its meaning and unit; `nasbench protocols show NAME` prints them.

    Raises:
        pydantic.ValidationError: when a field is unknown, missing or out of range. `get_transfer_protocol` reports the
            same in one line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(
        default="custom", description="name of this protocol; not part of the fingerprint", json_schema_extra=NEVER
    )
    source: str = Field(
        default="",
        description="paper and section of the values, and deviations from them; not part of the fingerprint",
        json_schema_extra=NEVER,
    )

    epochs: int = Field(
        ge=1, description="passes over the training images; an incomplete batch at the end of a pass is left out"
    )
    batch_size: int = Field(ge=2, description="images per step, summed over all processes")
    replica_batch: int = Field(
        default=0,
        ge=0,
        description="images per forward pass, over which BatchNorm averages; a process takes its part of a batch in "
        "micro-batches of this size and adds up their gradients (0: its whole part at once)",
    )
    optimizer: Literal["rmsprop", "sgd", "nesterov"] = Field(
        default="rmsprop", description="sgd (plain momentum), nesterov or rmsprop (as in TensorFlow)"
    )
    learning_rate: float = Field(gt=0, description="learning rate of the first step")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="momentum of all three optimizers")
    rmsprop_decay: float = Field(
        default=0.9, ge=0, lt=1, description="rmsprop: decay of the moving average of squared gradients"
    )
    rmsprop_epsilon: float = Field(default=1.0, gt=0, description="rmsprop: epsilon, added inside the square root")
    weight_decay: float = Field(
        ge=0, description="L2 penalty on all weights, those of BatchNorm and the biases included"
    )
    schedule: Literal["staircase", "cosine"] = Field(
        default="staircase",
        description="learning rate: staircase (times decay_factor every decay_epochs) or cosine (half a period, to 0)",
    )
    decay_factor: float = Field(
        default=0.97, gt=0, le=1, description="schedule staircase: factor on the learning rate at each drop"
    )
    decay_epochs: float = Field(
        default=2.4, gt=0, description="schedule staircase: epochs between drops; may be a fraction"
    )
    clip_norm: float = Field(
        default=0.0, ge=0, description="L2 norm to which the gradient of all weights is clipped (0: no clipping)"
    )

    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="probability of the target spread evenly over all classes"
    )
    auxiliary_weight: float = Field(
        default=0.0, ge=0, description="weight of the auxiliary classifier's loss (0: no auxiliary classifier)"
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="dropout probability before the classifier")
    drop_path_keep: float = Field(
        default=1.0, gt=0, le=1, description="probability of keeping a path at the end of training (1: no drop-path)"
    )
    drop_path_by_depth: bool = Field(
        default=False,
        description="drop paths of deeper cells more often, as NASNet's released code does by default; false: equally "
        "in all cells",
        json_schema_extra=unless(False),
    )
    average_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="decay of the moving average of the weights; the averaged network is scored (0: the trained one "
        "is)",
    )

    crop_area: float = Field(default=0.05, gt=0, le=1, description="smallest fraction of the image in a random crop")
    brightness: float = Field(
        default=0.0, ge=0, le=1, description="b: brightness is multiplied by a random factor from 1 - b to 1 + b"
    )
    saturation: float = Field(
        default=0.0, ge=0, le=1, description="s: saturation is multiplied by a random factor from 1 - s to 1 + s"
    )
    contrast: float = Field(
        default=0.0, ge=0, le=1, description="c: contrast is multiplied by a random factor from 1 - c to 1 + c"
    )
    hue: float = Field(
        default=0.0, ge=0, le=0.5, description="hue is shifted at random by up to this fraction of the colour circle"
    )
    central_share: float = Field(
        default=0.875, gt=0, le=1, description="fraction of the shorter side that the central crop for scoring keeps"
    )

    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="number format of convolutions and matrix products (bfloat16: by autocast)"
    )
    channels_last: bool = Field(
        default=True, description="memory format of images and weights; changes the last bits of the scores"
    )
    threads: int = Field(default=1, ge=1, description="CPU threads per process; changes the last bits of the scores")

    def fingerprint(self) -> str:
        """Return the digest of all fields that change a score, as 16 hexadecimal digits.

        A field that a later version adds does not change stored fingerprints, see `nasbench.protocols.identity`.
        """
        return digest_of({"version": FINGERPRINT_VERSION, **identity_fields(self)}, 8)

    def regularization(self) -> Regularization:
        """Return the settings of drop-path, dropout and auxiliary classifier, which act in training only."""
        return Regularization(self.drop_path_keep, self.auxiliary_weight > 0, self.dropout, self.drop_path_by_depth)

    def piece(self, processes: int) -> int:
        """Return the number of images per forward pass.

        Args:
            processes: number of processes that share a batch, >= 1.

        Returns:
            `replica_batch`, or the process's whole part of the batch where that is smaller or `replica_batch` is 0.
        """
        part = self.batch_size // processes
        return min(self.replica_batch or part, part)

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Return the learning rate of a step.

        staircase: learning_rate x decay_factor ^ floor(step / (decay_epochs x steps_per_epoch)).
        cosine: learning_rate x (1 + cos(pi x step / steps)) / 2, which would reach 0 one step after the last.

        Args:
            step: number of the step in the whole training, >= 0.
            steps_per_epoch: steps of one epoch, >= 1.

        Returns:
            The learning rate.
        """
        if self.schedule == "cosine":
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * step / (self.epochs * steps_per_epoch)))
        return self.learning_rate * self.decay_factor ** math.floor(step / (self.decay_epochs * steps_per_epoch))


_CODE = "tensorflow/models, research/slim"
_COMMON = (
    f"Zoph et al. 2017 (arXiv 1707.07012), appendix A, and its released code. From the code ({_CODE}: "
    "nets/nasnet/nasnet.py, train_image_classifier.py, preprocessing/inception_preprocessing.py): RMSProp with decay "
    "0.9, momentum 0.9 and epsilon 1.0, gradient norm clipped at 10, label smoothing 0.1, auxiliary head with weight "
    "0.4, dropout 0.5, moving average of the weights with decay 0.9999, random crops of 5% or more of the image, "
    "flip, brightness by 32/255 and saturation by 0.5 (its fast mode, the default: no hue, no contrast), central "
    "87.5% for scoring. Its 250,000 steps of 1,600 images are 312 epochs. Ours: bfloat16; a device computes several "
    "replicas one after the other; brightness is multiplied by a factor, where the code adds a number, and brightness "
    "and saturation come in random order; the central crop for scoring is square, where the code resizes 87.5% of "
    "each side to a square; BatchNorm's running statistics have momentum 0.1, where the code has 0.0003; weight decay "
    "also applies to the scale and shift of BatchNorm; crops need not cover an object's bounding box. "
)

_LARGE: dict[str, Any] = {
    "name": "nasnet-imagenet-large",
    "source": _COMMON
    + "Large: 100 synchronous replicas of 16 images, learning rate 0.015 x 100, weight decay 5e-5, and paths kept with "
    "probability 0.7 at the end of training in the last cell (version 3 of the code's schedule: linear in time and in "
    "depth).",
    "epochs": 312,
    "batch_size": 1600,
    "replica_batch": 16,
    "learning_rate": 1.5,
    "weight_decay": 5e-5,
    "clip_norm": 10.0,
    "label_smoothing": 0.1,
    "auxiliary_weight": 0.4,
    "dropout": 0.5,
    "drop_path_keep": 0.7,
    "drop_path_by_depth": True,
    "average_decay": 0.9999,
    "brightness": 32 / 255,
    "saturation": 0.5,
    "precision": "bfloat16",
}
NASNET_IMAGENET_LARGE = TransferProtocol(**_LARGE)
NASNET_IMAGENET_MOBILE = TransferProtocol(
    **{
        **_LARGE,
        "name": "nasnet-imagenet-mobile",
        "source": _COMMON
        + "Mobile: 50 synchronous replicas of 32 images, learning rate 0.04 x 50, weight decay 4e-5, no drop-path.",
        "replica_batch": 32,
        "learning_rate": 2.0,
        "weight_decay": 4e-5,
        "drop_path_keep": 1.0,
    }
)

TRANSFER_PROTOCOLS: Mapping[str, TransferProtocol] = {
    protocol.name: protocol for protocol in (NASNET_IMAGENET_LARGE, NASNET_IMAGENET_MOBILE)
}
"""Named protocols for images in folders. Data sets that fit in memory use those of `nasbench.protocols.protocol`."""


def get_transfer_protocol(name: str, overrides: Mapping[str, Any] | None = None) -> TransferProtocol:
    """Return a named protocol for images in folders, with some fields replaced.

    Args:
        name: a key of `TRANSFER_PROTOCOLS`.
        overrides: field -> value; a text is converted to the field's type ("0.05", "true").

    Returns:
        The protocol. With overrides, its name is `name` followed by "+".

    Raises:
        UnknownName: when no protocol has that name.
        InputError: when a field is unknown or out of range; one line that names every such field.
    """
    if name not in TRANSFER_PROTOCOLS:
        raise UnknownName("transfer protocol", name, TRANSFER_PROTOCOLS)
    return with_overrides(TRANSFER_PROTOCOLS[name], overrides or {}, f"transfer protocol {name!r}")
