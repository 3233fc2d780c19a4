"""Protocol of training on a folder of images too large for memory: a frozen, validated value with a fingerprint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nasbench.errors import UnknownName
from nasbench.protocols.identity import NEVER, digest_of, identity_fields, unless
from nasbench.protocols.protocol import validated
from nasbench.structures import Regularization

FINGERPRINT_VERSION = 1


class TransferProtocol(BaseModel):
    """Protocol of training and scoring on images in folders. Every field's description states its unit and range."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(
        default="custom", description="name of the protocol; not part of the fingerprint", json_schema_extra=NEVER
    )
    source: str = Field(
        default="", description="where the values come from; not part of the fingerprint", json_schema_extra=NEVER
    )

    epochs: int = Field(
        ge=1, description="passes over the training images; the last incomplete batch of each is left out"
    )
    batch_size: int = Field(ge=2, description="images of a step, all processes together")
    replica_batch: int = Field(
        default=0,
        ge=0,
        description="images that pass the network, and its BatchNorms, at once; a process adds up the gradients of its part of a "
        "batch in pieces of at most this many (0: the part as a whole)",
    )
    optimizer: Literal["rmsprop", "sgd", "nesterov"] = Field(
        default="rmsprop", description="rmsprop as TensorFlow has it; sgd has plain momentum"
    )
    learning_rate: float = Field(gt=0, description="first learning rate, for batch_size images a step")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="momentum, also of rmsprop's update")
    rmsprop_decay: float = Field(default=0.9, ge=0, lt=1, description="decay of rmsprop's mean square")
    rmsprop_epsilon: float = Field(default=1.0, gt=0, description="epsilon of rmsprop, added inside the square root")
    weight_decay: float = Field(ge=0, description="L2 penalty on all weights, those of BatchNorm too")
    schedule: Literal["staircase", "cosine"] = Field(
        default="staircase",
        description="staircase: times decay_factor every decay_epochs; cosine: one period towards 0",
    )
    decay_factor: float = Field(default=0.97, gt=0, le=1, description="staircase: factor of each drop")
    decay_epochs: float = Field(default=2.4, gt=0, description="staircase: epochs between drops; need not be whole")
    clip_norm: float = Field(default=0.0, ge=0, description="gradients are clipped to this norm (0: not)")

    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="share of the target spread over all classes")
    auxiliary_weight: float = Field(
        default=0.0, ge=0, description="weight of the auxiliary head's loss (0: no such head)"
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="dropout before the classifier")
    drop_path_keep: float = Field(
        default=1.0, gt=0, le=1, description="probability of keeping a path at the end of training"
    )
    drop_path_by_depth: bool = Field(
        default=False,
        description="drop paths of deeper cells more often, as NASNet's released code does by default; otherwise in all cells alike",
        json_schema_extra=unless(False),
    )
    average_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="decay of the moving average of the weights that is scored (0: the weights are)",
    )

    crop_area: float = Field(
        default=0.05, gt=0, le=1, description="smallest share of the image that a random crop keeps"
    )
    brightness: float = Field(default=0.0, ge=0, le=1, description="brightness is multiplied by 1 - b to 1 + b")
    saturation: float = Field(default=0.0, ge=0, le=1, description="saturation is multiplied by 1 - s to 1 + s")
    contrast: float = Field(default=0.0, ge=0, le=1, description="contrast is multiplied by 1 - c to 1 + c")
    hue: float = Field(
        default=0.0, ge=0, le=0.5, description="hue is turned by up to this share of a circle, either way"
    )
    central_share: float = Field(
        default=0.875, gt=0, le=1, description="share of the shorter side that is cropped for scoring"
    )

    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="arithmetic of convolutions (bfloat16: autocast, meant for CUDA)"
    )
    channels_last: bool = Field(default=True, description="memory format of images and weights; changes the last bits")
    threads: int = Field(default=1, ge=1, description="CPU threads a process; changes the last bits")

    def fingerprint(self) -> str:
        """Digest everything that changes a score: 16 hexadecimal digits; fields added later leave it as it is (`nasbench.protocols.identity`)."""
        return digest_of({"version": FINGERPRINT_VERSION, **identity_fields(self)}, 8)

    def regularization(self) -> Regularization:
        """The network parts that only act in training."""
        return Regularization(self.drop_path_keep, self.auxiliary_weight > 0, self.dropout, self.drop_path_by_depth)

    def piece(self, processes: int) -> int:
        """Images that pass the network at once where so many processes share a batch."""
        part = self.batch_size // processes
        return min(self.replica_batch or part, part)

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Learning rate of a step, from 0.

        staircase: learning_rate x decay_factor ^ floor(step / (decay_epochs x steps_per_epoch)). cosine: from the first rate towards 0,
        which the step after the last would have.
        """
        if self.schedule == "cosine":
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * step / (self.epochs * steps_per_epoch)))
        return self.learning_rate * self.decay_factor ** math.floor(step / (self.decay_epochs * steps_per_epoch))


_CODE = "tensorflow/models, research/slim"
_COMMON = (
    f"Zoph et al. 2017 (1707.07012), appendix A, and its released code ({_CODE}: nets/nasnet/nasnet.py, train_image_classifier.py, "
    "preprocessing/inception_preprocessing.py): RMSProp with decay 0.9, momentum 0.9 and epsilon 1.0, gradient norm clipped at 10, "
    "label smoothing 0.1, auxiliary head 0.4, dropout 0.5, weights averaged with 0.9999, random crops of 5% or more of the image, "
    "flip, brightness by 32/255 and saturation by 0.5 (its fast mode, the default: no hue, no contrast), central 87.5% for scoring. "
    "Its 250,000 steps of 1,600 images are 312 epochs. "
    "Ours: bfloat16; fewer devices than replicas take turns, one after the other; brightness is multiplied where that code adds, always before or after saturation at random; the scored crop is "
    "square where that code squeezes 87.5% of each side into a square; BatchNorm averages with momentum 0.1 where that code has "
    "0.0003; weight decay also acts on BatchNorm's scale and shift; crops have no minimum of covered object boxes. "
)

_LARGE: dict[str, Any] = {
    "name": "nasnet-imagenet-large",
    "source": _COMMON
    + "Large: 100 synchronous replicas of 16 images, learning rate 0.015 x 100, weight decay 5e-5, paths kept 0.7 at the end of training in the last cell (schedule v3 of that code: linear in time and in depth).",
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
"""For images in folders. Data sets that fit in memory are trained by `nasbench.protocols.protocol`'s, such as "nasnet-cifar"."""


def get_transfer_protocol(name: str, overrides: Mapping[str, Any] | None = None) -> TransferProtocol:
    """The named protocol, with some fields replaced.

    Args:
        name: a key of `TRANSFER_PROTOCOLS`.
        overrides: field -> value; texts are read as the field's type.

    Returns:
        The protocol; with overrides its name becomes "name+" and its fingerprint differs.

    Raises:
        UnknownName: when no protocol has that name.
        InputError: when a field is unknown, misspelled or out of range: one line that names every such field.
    """
    if name not in TRANSFER_PROTOCOLS:
        raise UnknownName("transfer protocol", name, TRANSFER_PROTOCOLS)
    protocol = TRANSFER_PROTOCOLS[name]
    if not overrides:
        return protocol
    values = {**protocol.model_dump(), "name": f"{protocol.name}+", **overrides}
    return validated(TransferProtocol, values, f"transfer protocol {name!r}")
