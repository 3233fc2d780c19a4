"""The JSON document of a model file: architecture, protocol, data and scores."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nasbench.data.source_options import LARGEST_SIDE
from nasbench.errors import InputError, NasbenchError
from nasbench.protocols.identity import with_earlier_values
from nasbench.protocols.protocol import Protocol, validated
from nasbench.spaces import Architecture, get_space
from nasbench.structures import Scale

FORMAT: Final = 1
LONGEST_DOCUMENT: Final = 16 * 2**20  # characters
MOST_CLASSES: Final = 1_000_000

Finite = Annotated[float, Field(allow_inf_nan=False)]
Score = Annotated[float, Field(allow_inf_nan=False)] | None


class ModelDescription(BaseModel):
    """Description of a trained network, frozen and validated."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)

    format: Literal[1] = Field(default=1, description="version of this document")
    space: str = Field(max_length=1000, description="space with its options, e.g. nasnet:blocks=3")
    choices: tuple[int, ...] = Field(max_length=10_000, description="the architecture: one choice per decision")
    hash: str = Field(pattern="^[0-9a-f]{32}$", description="hash of the architecture")
    network_version: int = Field(ge=1, le=1000, description="version of the space's networks")
    protocol: Protocol = Field(description="the training protocol")
    fingerprint: str = Field(pattern="^[0-9a-f]{16}$", description="fingerprint of protocol, data and network version")
    seed: int = Field(ge=0, description="training seed")
    data: str = Field(max_length=1000, description="name of the data set")
    data_digest: str = Field(pattern="^[0-9a-f]{32}$", description="digest of the data set")
    classes: tuple[str, ...] = Field(min_length=2, max_length=MOST_CLASSES, description="names of the classes")
    image_size: int = Field(ge=1, le=LARGEST_SIDE, description="height and width of the images in pixels")
    image_channels: int = Field(ge=1, description="channels of the images")
    mean: tuple[Finite, ...] = Field(description="whitening: mean grey level per channel, 0 to 255")
    deviation: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = Field(
        description="whitening: standard deviation per channel, in grey levels"
    )
    levels: tuple[Finite, Finite] | None = Field(
        default=None, description="grey levels of images with more than 8 bits that become 0 and 255"
    )
    scores: dict[str, Score] = Field(description="val_acc, val_loss, test_acc, ...; null: not measured")
    curves: dict[str, tuple[Finite, ...]] = Field(description="one value per epoch")
    device: str = Field(max_length=1000, description="device that trained the network")
    platform: str = Field(max_length=10_000, description="everything that decides the last bits of the scores")
    versions: dict[str, str] = Field(description="versions of the packages")
    trained_at: str = Field(max_length=100, description="UTC time, ISO 8601")

    @model_validator(mode="after")
    def _agree(self) -> ModelDescription:
        """Refuse fields that contradict each other."""
        if len(self.mean) != self.image_channels or len(self.deviation) != self.image_channels:
            raise ValueError(f"mean and deviation need {self.image_channels} values, one per channel")
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("two classes have the same name")
        if strange := [name for name in self.classes if name.encode(errors="replace").decode() != name]:
            raise ValueError(f"class {strange[0]!r} has a name that is no text")
        if self.levels is not None and self.levels[0] > self.levels[1]:
            raise ValueError("levels should be in order")
        return self

    @property
    def architecture(self) -> Architecture:
        """The architecture, in a space that builds the networks of `network_version`.

        Raises:
            InputError: when the space or its choices do not exist in this version.
        """
        return get_space(self.space).with_networks(self.network_version).decode(self.choices)

    @property
    def scale(self) -> Scale:
        """Size of the network."""
        return self.protocol.scale(self.image_size, self.image_channels, len(self.classes))

    def to_json(self) -> str:
        """Write the description as JSON without NaN, which `read_description` reads."""
        return json.dumps(self.model_dump(mode="json"), allow_nan=False)


def read_description(text: str, what: str) -> ModelDescription:
    """Read and check the JSON document of a model file.

    Args:
        text: the JSON.
        what: the file, with which error messages start.

    Returns:
        The description. Its architecture exists in this version, and has the stated hash.

    Raises:
        InputError: when the text is no such document, or of a later version.
    """
    if len(text) > LONGEST_DOCUMENT:
        raise InputError(f"{what}: its description has {len(text):,} characters; at most {LONGEST_DOCUMENT:,} are read")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{what}: its description is not JSON") from None
    if not isinstance(values, dict) or not isinstance(values.get("protocol"), dict):
        raise InputError(f"{what}: its description is no JSON object with a protocol")
    if values.get("format") != FORMAT:
        raise InputError(
            f"{what} has format {values.get('format')!r}, and this version reads format {FORMAT}; read it with the "
            "version of nasbench that made it"
        )
    values["protocol"] = with_earlier_values(Protocol, values["protocol"])
    found = validated(ModelDescription, values, what)
    try:
        architecture = found.architecture
    except NasbenchError as error:
        raise InputError(f"{what}: {error}") from None
    if architecture.hash != found.hash:
        raise InputError(f"{what}: its architecture has the hash {architecture.hash}, but the file says {found.hash}")
    return found


def finite(values: Mapping[str, Any]) -> dict[str, float | None]:
    """Replace NaN by None, because JSON has no NaN.

    Args:
        values: name -> number.

    Returns:
        Name -> number or None.
    """
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
