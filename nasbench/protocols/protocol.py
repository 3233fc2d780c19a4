"""The training protocol: every setting that changes a score, except the architecture and the seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nasbench.errors import InputError, did_you_mean
from nasbench.protocols.identity import NEVER, digest_of, identity_fields, unless
from nasbench.registry import Registry
from nasbench.structures import Regularization, Scale, Stem
from nasbench.texts import shortened

FINGERPRINT_VERSION = 1
LONGEST_SHOWN = 300  # characters of a wrong value in a message

M = TypeVar("M", bound=BaseModel)


class Protocol(BaseModel):
    """Settings of a child's training and scoring, frozen and validated.

    Scores are compared only where the fingerprints are equal. Each field's description states its meaning and unit, and
    `nasbench protocols show NAME` prints the descriptions, the values and their sources.

    Raises:
        pydantic.ValidationError: when a field is unknown or out of range, or two fields contradict each other.
            `get_protocol` reports the same in one line.
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

    data: str = Field(
        default="digits",
        description="digits, cifar10, cifar100, folder:PATH[=NAME][,size=PIXELS], csv:PATH, npz:PATH, hf:PATH, "
        "torchvision:NAME or fake[:OPTIONS] (docs/images.md); the fingerprint "
        "contains the digest of the images and labels, not this text",
        json_schema_extra=NEVER,
    )
    validation: float = Field(
        default=0.2, gt=0, lt=1, description="fraction of the data set's training images used for validation only"
    )
    split_seed: int = Field(default=0, ge=0, description="seed of the random split into training and validation images")
    train_images: int = Field(
        default=0, ge=0, description="number of training images used, of those left by the split (0: all)"
    )

    epochs: int = Field(default=10, ge=1, description="passes over the training images")
    batch_size: int = Field(
        default=64,
        ge=1,
        description="largest number of images per step; an epoch is cut into batches of equal size (+-1)",
    )
    optimizer: Literal["sgd", "nesterov", "rmsprop"] = Field(
        default="nesterov", description="sgd (plain momentum), nesterov or rmsprop (as in TensorFlow)"
    )
    learning_rate: float = Field(default=0.1, gt=0, description="highest learning rate of the schedule")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="momentum of all three optimizers")
    rmsprop_decay: float = Field(
        default=0.9, ge=0, lt=1, description="rmsprop: decay of the moving average of squared gradients"
    )
    rmsprop_epsilon: float = Field(default=1.0, gt=0, description="rmsprop: epsilon, added inside the square root")
    weight_decay: float = Field(
        default=1e-4, ge=0, description="L2 penalty on all weights, those of BatchNorm and the biases included"
    )
    schedule: Literal["constant", "cosine", "step", "one_cycle"] = Field(
        default="cosine", description="learning rate over the steps: constant, cosine (to 0), step or one_cycle"
    )
    step_milestones: tuple[float, ...] = Field(
        default=(0.5, 0.75),
        description="schedule step: fractions of the training after which the learning rate drops",
    )
    step_factor: float = Field(
        default=0.1, gt=0, le=1, description="schedule step: factor on the learning rate at each milestone"
    )
    warmup: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="fraction of the training over which the learning rate first rises (linearly; one_cycle: by half a "
        "cosine)",
    )

    whiten: bool = Field(
        default=True,
        description="subtract the training images' mean per channel and divide by their standard deviation; false: "
        "divide by 255",
    )
    enlarge: Literal["none", "pad", "upsample"] = Field(
        default="none", description="how images are enlarged to crop_from before the random crop"
    )
    crop_from: int = Field(
        default=0,
        ge=0,
        description="side in pixels of the enlarged image, from which the image size is randomly cropped (0: no crop)",
    )
    flip: bool = Field(default=False, description="flip horizontally with probability 1/2")
    cutout: int = Field(
        default=0, ge=0, description="side in pixels of the randomly placed square that is set to zero (0: none)"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="probability of the target spread evenly over all classes"
    )
    drop_path_keep: float = Field(
        default=1.0, gt=0, le=1, description="probability of keeping a path at the end of training (1: no drop-path)"
    )
    drop_path_by_depth: bool = Field(
        default=False,
        description="drop paths of deeper cells more often, as NASNet's released code does by default; false: equally "
        "in all cells",
        json_schema_extra=unless(False),
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="dropout probability before the classifier")
    auxiliary_weight: float = Field(
        default=0.0, ge=0, description="weight of the auxiliary classifier's loss (0: no auxiliary classifier)"
    )
    clip_norm: float = Field(
        default=0.0, ge=0, description="L2 norm to which the gradient of all weights is clipped (0: no clipping)"
    )

    cells: int = Field(
        default=2, ge=1, description="N: normal cells (or layers) per stage; spaces without repeated cells ignore it"
    )
    filters: int = Field(default=32, ge=1, description="F: initial filters; spaces that decide filters ignore it")
    stem: Stem = Field(default="cifar", description="first layers of the network: cifar or imagenet")
    skip_reduction_input: bool = Field(
        default=False,
        description="the cell after a reduction reads, as its older input, the cell two before the reduction, not the "
        "one before it",
    )

    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="number format of convolutions and matrix products (bfloat16: by autocast)"
    )
    channels_last: bool = Field(
        default=True, description="memory format of images and weights; changes the last bits of the scores"
    )
    threads: int = Field(default=1, ge=1, description="CPU threads per child; changes the last bits of the scores")
    kernels: Literal["fast", "portable"] = Field(
        default="fast",
        description="CPU kernels: fast (chosen for the processor) or portable (the same bits on every x86-64 "
        "processor)",
        json_schema_extra=unless("fast"),
    )

    fit: tuple[Literal["validation", "batch_size", "epochs", "crop_from"], ...] = Field(
        default=(),
        description="fields whose values follow from the size of the data, and are chosen before the first training; "
        "those that are set are not among them",
        json_schema_extra=unless([]),
    )

    @model_validator(mode="after")
    def _agree(self) -> Protocol:
        """Refuse fields that contradict each other."""
        if (self.enlarge == "none") != (self.crop_from == 0):
            raise ValueError(
                "enlarge and crop_from go together: enlarge='pad' or 'upsample' needs crop_from, the side before the "
                f"random crop, and crop_from=0 needs enlarge='none'; got enlarge={self.enlarge!r}, "
                f"crop_from={self.crop_from}"
            )
        if any(not 0 < share < 1 for share in self.step_milestones) or list(self.step_milestones) != sorted(
            set(self.step_milestones)
        ):
            raise ValueError(
                f"step_milestones are growing shares of training between 0 and 1, got {self.step_milestones}"
            )
        if self.kernels == "portable" and (self.threads != 1 or self.precision != "float32"):
            raise ValueError(
                f"kernels='portable' needs threads=1 and precision='float32', got threads={self.threads}, "
                f"precision={self.precision!r}"
            )
        return self

    def fingerprint(self, data_digest: str, network_version: int = 1) -> str:
        """Return the digest of everything that changes a score, except the architecture and the seed.

        A field that a later version adds does not change stored fingerprints, see `nasbench.protocols.identity`.

        Args:
            data_digest: digest of the data set's images and labels (`Dataset.digest`); it replaces the data's name.
            network_version: `Space.network_version`, >= 1; it grows when a space builds other networks than before.

        Returns:
            16 hexadecimal digits.

        Raises:
            InputError: when fields are still to follow from the data, see `fit`.
        """
        if self.fit:
            raise InputError(
                f"protocol {self.name!r} is complete only with its data: nasbench.data.fitting.fitted(protocol, data)"
            )
        built = {} if network_version == 1 else {"network_version": network_version}
        return digest_of({"version": FINGERPRINT_VERSION, "data": data_digest, **built, **identity_fields(self)}, 8)

    def scale(self, image_size: int, image_channels: int, classes: int) -> Scale:
        """Return the scale of the networks for a data set.

        Args:
            image_size: height and width of the images in pixels, >= 1.
            image_channels: channels of the images, >= 1.
            classes: number of classes, >= 2.

        Returns:
            The scale, with this protocol's N, F, stem and `skip_reduction_input`.
        """
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
        """Return the settings of drop-path, dropout and auxiliary classifier, which act in training only."""
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
        "darts": "nasbench.protocols.named:DARTS",
        "nasbench-macro": "nasbench.protocols.named:NASBENCH_MACRO",
        "digits": "nasbench.protocols.named:DIGITS",
        "digits201": "nasbench.protocols.named:DIGITS201",
        "digits201-2": "nasbench.protocols.named:DIGITS201_2",
        "cifar16": "nasbench.protocols.named:CIFAR16",
        "cifar10-quick": "nasbench.protocols.named:CIFAR10_QUICK",
        "images": "nasbench.protocols.named:IMAGES",
    },
)


def get_protocol(name: str, overrides: Mapping[str, Any] | None = None) -> Protocol:
    """Return a named protocol, with some fields replaced.

    Args:
        name: a registered protocol, see `nasbench protocols`.
        overrides: field -> value; a text is converted to the field's type ("0.05", "true", "0.5,0.75").

    Returns:
        The protocol. With overrides, its name is `name` followed by "+".

    Raises:
        UnknownName: when no protocol has that name.
        InputError: when a field is unknown or out of range; one line that names every such field.
    """
    return overridden(PROTOCOLS.get(name), overrides or {})


def overridden(protocol: Protocol, overrides: Mapping[str, Any]) -> Protocol:
    """Return a training protocol with some fields replaced, which then do not follow from the data any more.

    Args:
        protocol: the protocol.
        overrides: field -> value; see `get_protocol`.

    Returns:
        The new protocol, with the rest of `Protocol.fit` unless `fit` itself is replaced, and "+" after its name.

    Raises:
        InputError: when a field is unknown or out of range; one line that names every such field.
    """
    changes = {key: _listed(key, value) for key, value in overrides.items()}
    if changes and "fit" not in changes:
        changes["fit"] = tuple(name for name in protocol.fit if name not in changes)
    return with_overrides(protocol, changes, f"protocol {protocol.name!r}")


def check_kernels(protocol: Protocol, device: str) -> None:
    """Refuse portable kernels on a GPU.

    Args:
        protocol: the training protocol.
        device: "cpu", "cuda", "cuda:1", ...

    Raises:
        InputError: when the protocol has portable kernels and the device is not "cpu".
    """
    if protocol.kernels == "portable" and device != "cpu":
        raise InputError(
            f"protocol {protocol.name!r}: kernels='portable' works on the CPU only, got device {device!r}; "
            "use --devices cpu, or --set kernels=fast"
        )


def _listed(key: str, value: Any) -> Any:
    """Split a text at its commas if the field takes several values."""
    several = key in Protocol.model_fields and get_origin(Protocol.model_fields[key].annotation) is tuple
    return [part for part in value.split(",") if part] if several and isinstance(value, str) else value


def with_overrides(protocol: M, overrides: Mapping[str, Any], what: str) -> M:
    """Return a protocol with some fields replaced and one "+" after its name.

    Args:
        protocol: a model with a field `name`.
        overrides: field -> value; without any, the protocol itself is returned.
        what: name of the protocol in an error message, e.g. "protocol 'digits'".

    Returns:
        The new protocol.

    Raises:
        InputError: when a field is unknown or out of range.
    """
    if not overrides:
        return protocol
    values = protocol.model_dump()
    return validated(type(protocol), {**values, "name": f"{values['name'].removesuffix('+')}+", **overrides}, what)


def validated(model: type[M], values: Mapping[str, Any], what: str) -> M:
    """Make a pydantic model, and report all errors in one line.

    Args:
        model: the class of the model.
        values: field -> value.
        what: name of the model in an error message; the line starts with it.

    Returns:
        The model.

    Raises:
        InputError: when a field is unknown, missing or out of range, or fields contradict each other.
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
            elif isinstance(item.get("ctx", {}).get("error"), InputError):
                problems.append(f"{key}: {item['ctx']['error']}")  # a whole message; lower case would change it
            elif item["type"] == "extra_forbidden":
                problems.append(f"no field {key!r}{did_you_mean(key, names)}")
            else:
                got = "" if item["type"] == "missing" else f", got {shortened(repr(item['input']), LONGEST_SHOWN)}"
                problems.append(f"{key}: {item['msg'].lower()}{got}")
        hint = f" (fields: {', '.join(names)})" if any(p.startswith("no field") for p in problems) else ""
        raise InputError(f"{what}: {'; '.join(problems)}{hint}") from None
