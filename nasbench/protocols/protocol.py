"""Everything that changes a score and is not the architecture, as one frozen, validated, fingerprinted value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nasbench.errors import InputError, did_you_mean
from nasbench.protocols.identity import NEVER, digest_of, identity_fields, unless
from nasbench.registry import Registry
from nasbench.structures import Regularization, Scale, Stem

FINGERPRINT_VERSION = 1

M = TypeVar("M", bound=BaseModel)


class Protocol(BaseModel):
    """Settings of a child's training and scoring. Two scores are comparable exactly when their protocols' fingerprints are equal.

    Every field's description says its unit and range; `nasbench protocols show NAME` prints them with the values' sources.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(
        default="custom", description="name of the protocol; not part of the fingerprint", json_schema_extra=NEVER
    )
    source: str = Field(
        default="",
        description="paper and section the values come from, and where they deviate; not part of the fingerprint",
        json_schema_extra=NEVER,
    )

    data: str = Field(
        default="digits",
        description="digits, cifar10, cifar100, folder:PATH[=NAME][,size=PIXELS] or fake; the data's digest enters the fingerprint, its path does not",
        json_schema_extra=NEVER,
    )
    validation: float = Field(default=0.2, gt=0, lt=1, description="share of the training set held out for validation")
    split_seed: int = Field(default=0, ge=0, description="seed of the split into training and validation images")
    train_images: int = Field(default=0, ge=0, description="training images used after the split (0: all)")

    epochs: int = Field(default=10, ge=1, description="passes over the training images")
    batch_size: int = Field(default=64, ge=1, description="images a step at most; an epoch is cut evenly")
    optimizer: Literal["sgd", "nesterov", "rmsprop"] = Field(
        default="nesterov", description="optimizer; sgd has plain momentum"
    )
    learning_rate: float = Field(default=0.1, gt=0, description="peak learning rate")
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="momentum of sgd and nesterov, and of rmsprop's update"
    )
    rmsprop_decay: float = Field(default=0.9, ge=0, lt=1, description="decay of rmsprop's mean square")
    rmsprop_epsilon: float = Field(default=1.0, gt=0, description="epsilon of rmsprop, added inside the square root")
    weight_decay: float = Field(default=1e-4, ge=0, description="L2 penalty on all weights")
    schedule: Literal["constant", "cosine", "step", "one_cycle"] = Field(
        default="cosine", description="course of the learning rate, per step"
    )
    step_milestones: tuple[float, ...] = Field(
        default=(0.5, 0.75), description="step: shares of training after which the rate drops"
    )
    step_factor: float = Field(default=0.1, gt=0, le=1, description="step: factor of each drop")
    warmup: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of training with a linearly growing rate; one_cycle: the rising part",
    )

    whiten: bool = Field(
        default=True, description="subtract the training images' channel means and divide by their deviations"
    )
    enlarge: Literal["none", "pad", "upsample"] = Field(
        default="none", description="how images grow to crop_from before the random crop"
    )
    crop_from: int = Field(
        default=0, ge=0, description="side in pixels before the random crop back to the image size (0: no crop)"
    )
    flip: bool = Field(default=False, description="flip horizontally with probability 1/2")
    cutout: int = Field(default=0, ge=0, description="side in pixels of the square set to zero (0: none)")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="share of the target spread over all classes")
    drop_path_keep: float = Field(
        default=1.0, gt=0, le=1, description="probability of keeping a path at the end of training"
    )
    drop_path_by_depth: bool = Field(
        default=False,
        description="drop paths of deeper cells more often, as NASNet's released code does by default; otherwise in all cells alike",
        json_schema_extra=unless(False),
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="dropout before the classifier")
    auxiliary_weight: float = Field(
        default=0.0, ge=0, description="weight of the auxiliary classifier's loss (0: no auxiliary head)"
    )
    clip_norm: float = Field(default=0.0, ge=0, description="gradients are clipped to this norm (0: not)")

    cells: int = Field(default=2, ge=1, description="N of the skeleton; spaces without repetition ignore it")
    filters: int = Field(default=32, ge=1, description="F of the skeleton; spaces that decide filters ignore it")
    stem: Stem = Field(default="cifar", description="stem of the skeleton")
    skip_reduction_input: bool = Field(
        default=False, description="after a reduction, read as p what came before the reduction's input"
    )

    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="arithmetic of convolutions (bfloat16: autocast)"
    )
    channels_last: bool = Field(default=True, description="memory format of images and weights; changes the last bits")
    threads: int = Field(default=1, ge=1, description="CPU threads per child; changes the last bits")
    kernels: Literal["fast", "portable"] = Field(
        default="fast",
        description="CPU kernels: fast ones, chosen by the processor, or portable ones, with the same bits on every x86-64 processor",
        json_schema_extra=unless("fast"),
    )

    @model_validator(mode="after")
    def _agree(self) -> Protocol:
        """Refuse fields that contradict each other."""
        if (self.enlarge == "none") != (self.crop_from == 0):
            raise ValueError(
                f"enlarge and crop_from go together: enlarge='pad' or 'upsample' needs crop_from, the side before the random crop, "
                f"and crop_from=0 needs enlarge='none'; got enlarge={self.enlarge!r}, crop_from={self.crop_from}"
            )
        if any(not 0 < share < 1 for share in self.step_milestones) or list(self.step_milestones) != sorted(
            set(self.step_milestones)
        ):
            raise ValueError(
                f"step_milestones are growing shares of training between 0 and 1, got {self.step_milestones}"
            )
        if self.kernels == "portable" and (self.threads != 1 or self.precision != "float32"):
            raise ValueError(
                f"kernels='portable' needs threads=1 and precision='float32', got threads={self.threads}, precision={self.precision!r}"
            )
        return self

    def fingerprint(self, data_digest: str, network_version: int = 1) -> str:
        """Digest everything that changes a score and is not the architecture.

        Fields that were added after version 1 of the fingerprint take part only where they differ from what was done before, so a stored
        fingerprint stays what it is when the protocol grows (`nasbench.protocols.identity`).

        Args:
            data_digest: digest of the data set's bytes (`nasbench.data`), which stands in for the data's name and path.
            network_version: the space's `network_version`, >= 1: which networks its architectures build.

        Returns:
            16 hexadecimal digits.
        """
        built = {} if network_version == 1 else {"network_version": network_version}
        return digest_of({"version": FINGERPRINT_VERSION, "data": data_digest, **built, **identity_fields(self)}, 8)

    def scale(self, image_size: int, image_channels: int, classes: int) -> Scale:
        """The network scale for data of this shape."""
        return Scale(
            cells=self.cells,
            filters=self.filters,
            image_size=image_size,
            image_channels=image_channels,
            classes=classes,
            stem=self.stem,
            skip_reduction_input=self.skip_reduction_input,
        )

    def regularization(self) -> Regularization:
        """The network parts that only act in training."""
        return Regularization(self.drop_path_keep, self.auxiliary_weight > 0, self.dropout, self.drop_path_by_depth)


PROTOCOLS: Registry[Protocol] = Registry(
    "protocol",
    "nasbench.protocols.named",
    {
        "nas2016": "nasbench.protocols.named:NAS2016",
        "nasnet2017": "nasbench.protocols.named:NASNET2017",
        "nasnet-cifar": "nasbench.protocols.named:NASNET_CIFAR",
        "nasbench201": "nasbench.protocols.named:NASBENCH201",
        "nasbench201-200": "nasbench.protocols.named:NASBENCH201_200",
        "digits": "nasbench.protocols.named:DIGITS",
        "digits201": "nasbench.protocols.named:DIGITS201",
        "digits201-2": "nasbench.protocols.named:DIGITS201_2",
        "cifar10-quick": "nasbench.protocols.named:CIFAR10_QUICK",
    },
)


def get_protocol(name: str, overrides: Mapping[str, Any] | None = None) -> Protocol:
    """The named protocol, with some fields replaced.

    Args:
        name: a registered protocol.
        overrides: field -> value; texts are read as the field's type ("0.05", "true", "0.5,0.75").

    Returns:
        The protocol; with overrides its name becomes "name+" and its fingerprint differs.

    Raises:
        UnknownName: when no protocol has that name.
        InputError: when a field is unknown, misspelled or out of range: one line that names every such field.
    """
    protocol = PROTOCOLS.get(name)
    changes = {key: _listed(key, value) for key, value in (overrides or {}).items()}
    if not changes:
        return protocol
    return validated(Protocol, {**protocol.model_dump(), "name": f"{protocol.name}+", **changes}, f"protocol {name!r}")


def check_kernels(protocol: Protocol, device: str) -> None:
    """Refuse portable kernels on a GPU.

    Args:
        protocol: the training protocol.
        device: "cpu", "cuda", ...

    Raises:
        InputError: when they do not go together.
    """
    if protocol.kernels == "portable" and device != "cpu":
        raise InputError(
            f"protocol {protocol.name!r} has kernels='portable', which are the processor's: use --devices cpu, or --set kernels=fast; "
            f"got device {device!r}"
        )


def _listed(key: str, value: Any) -> Any:
    return [part for part in value.split(",") if part] if key == "step_milestones" and isinstance(value, str) else value


def validated(model: type[M], values: Mapping[str, Any], what: str) -> M:
    """Make a pydantic model; all its errors are reported in one line.

    Args:
        model: the pydantic model class.
        values: field -> value.
        what: name of the described thing, the start of the message.

    Raises:
        InputError: when anything does not fit.
    """
    try:
        return model(**values)
    except ValidationError as error:
        names = list(model.model_fields)
        problems = []
        for item in error.errors():
            key = ".".join(str(part) for part in item["loc"])
            if not key:
                problems.append(item["msg"].removeprefix("Value error, "))
            elif item["type"] == "extra_forbidden":
                problems.append(f"no field {key!r}{did_you_mean(key, names)}")
            else:
                problems.append(f"{key}: {item['msg'].lower()}, got {item['input']!r}")
        hint = f" (fields: {', '.join(names)})" if any(p.startswith("no field") for p in problems) else ""
        raise InputError(f"{what}: {'; '.join(problems)}{hint}") from None
