"""The interface of search spaces to strategies: a sequence of decisions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from nasbench.errors import InputError, did_you_mean
from nasbench.registry import Registry
from nasbench.structures import Counts, Regularization, Scale

if TYPE_CHECKING:
    from nasbench.networks.base import Network

HASH_VERSION = 1

REPRESENTATIONS: Registry[Callable[[Architecture], str]] = Registry(
    "representation", "nasbench.representations", {"html": "nasbench.api.html:architecture_html"}
)
"""Display of an architecture in notebooks; the function is named as text, because its module imports this one."""


@dataclass(frozen=True)
class Decision:
    """One choice that an architecture makes.

    Args:
        name: unique within the space, e.g. "normal/block2/left".
        options: number of options, >= 1; a choice is an int in [0, options).
        labels: meaning of each choice, for people; `options` strings.
        group: decisions of one group mean the same thing and may share embeddings and softmax weights ("operation", "input").
        layer: the layer or block the decision belongs to, from 0, counted over the whole architecture.
        kind: "categorical", or "skip" for an independent yes/no (options = 2) that connects `source` to `layer`.
        source: for a skip decision, the earlier layer it would read, from 0; otherwise None.
    """

    name: str
    options: int
    labels: tuple[str, ...]
    group: str
    layer: int
    kind: Literal["categorical", "skip"] = "categorical"
    source: int | None = None


@dataclass(frozen=True)
class Architecture:
    """An architecture as a value: its space and its choices, one int per decision."""

    space: Space
    choices: tuple[int, ...]

    @property
    def hash(self) -> str:
        """32 hexadecimal digits, equal exactly when two graphs are isomorphic after what cannot reach the output is removed."""
        return self.space.hash(self)

    def to_json(self) -> str:
        """One line of JSON from which `nasbench.spaces.from_json` makes an equal architecture."""
        return json.dumps({"space": self.space.spec, "choices": list(self.choices)}, separators=(",", ":"))

    def __str__(self) -> str:
        return self.space.describe(self)

    def _repr_html_(self) -> str:
        return REPRESENTATIONS.get("html")(self)


@dataclass(frozen=True)
class Space(ABC):
    """A search space. Subclasses are frozen dataclasses whose fields are the space's options.

    A subclass gives `name`, `decisions`, `structure`, `form`, `canonical`, `describe`, `count_at` and `build`; the rest follows.
    Equal `form` means equal hash, so `form` must be a canonical encoding of the graph that is built and of nothing else. Algebra is not
    part of it: sums regrouped through identities, pools of pools or a linear operation moved across a sum are other graphs with other
    hashes, though the same function.

    `network_version` is raised when the network that an architecture builds changes its function: it is part of the fingerprint of
    scores, so that scores of the network before are not taken for scores of this one. Hashes do not depend on it. A space goes on
    building its earlier networks (`with_networks`), for stored scores to be verified and stored searches to be resumed.
    """

    name: ClassVar[str]
    network_version: ClassVar[int] = 1
    default_protocol: ClassVar[str] = "nasnet2017"
    """Name of the protocol whose scale `count` uses by default."""

    networks: int = dataclasses.field(default=0, kw_only=True, metadata={"option": False})
    """Version of the networks that `build` makes; 0 for `network_version`. Not an option: set by `with_networks`."""

    @property
    def built_version(self) -> int:
        """Version of the networks that `build` makes, >= 1."""
        return self.networks or self.network_version

    def with_networks(self, version: int) -> Space:
        """Return this space, building the networks of a version.

        Args:
            version: 1 to `network_version`.

        Raises:
            InputError: when there is no such version.
        """
        if not 1 <= version <= self.network_version:
            raise InputError(f"space {self.name!r} has networks of version 1 to {self.network_version}, got {version}")
        return dataclasses.replace(self, networks=0 if version == self.network_version else version)

    @property
    @abstractmethod
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions in the order in which a sequential strategy makes them. Cached by subclasses."""

    @abstractmethod
    def structure(self, architecture: Architecture) -> Any:
        """The canonical network description (a value of `nasbench.structures`) that counts, builds and pictures start from."""

    @abstractmethod
    def form(self, architecture: Architecture) -> str:
        """A canonical text of the graph: equal exactly when two are isomorphic after what cannot reach the output is removed."""

    @abstractmethod
    def canonical(self, architecture: Architecture) -> Architecture:
        """The representative of the architecture's class: same hash, and equal for all architectures of that hash."""

    @abstractmethod
    def describe(self, architecture: Architecture) -> str:
        """A text for people, in the notation of the space's paper; `parse` reads it back where the space says so."""

    @abstractmethod
    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Parameters and multiply-adds at a scale, in closed form, equal to those of `build(architecture, scale)`."""

    @abstractmethod
    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """The torch module of the canonical structure (so equal hashes build equal modules). Imports torch."""

    def count(self, architecture: Architecture, scale: Scale | None = None) -> Counts:
        """Count parameters, and multiply-adds for one image; no network is built.

        Args:
            architecture: of this space.
            scale: size of the network and of its images; None for `default_scale`.

        Example:
            >>> import nasbench
            >>> space = nasbench.get_space("nasbench201")
            >>> space.count(space.decode([3, 3, 3, 3, 3, 3]))
            Counts(params=1531546, mult_adds=220119680)
        """
        return self.count_at(architecture, self.default_scale if scale is None else scale)

    @property
    def default_scale(self) -> Scale:
        """Size of the networks and images of the protocol that `default_protocol` names. Reads no data."""
        from nasbench.data import image_shape
        from nasbench.protocols.protocol import get_protocol

        protocol = get_protocol(self.default_protocol)
        return protocol.scale(*image_shape(protocol.data))

    @property
    def spec(self) -> str:
        """Name and options as text, e.g. "nasnet:blocks=3"; options at their default are left out."""
        options = []
        for field in option_fields(type(self)):
            value = getattr(self, field.name)
            if value != field.default:
                text = "/".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
                options.append(f"{field.name}={text}")
        return self.name + (":" + ",".join(options) if options else "")

    @property
    def size(self) -> int:
        """Number of sequences of choices, duplicates included."""
        return math.prod(decision.options for decision in self.decisions)

    def decode(self, choices: Sequence[int]) -> Architecture:
        """Make an architecture from a sequence of choices.

        Args:
            choices: one int per decision, each in [0, options).

        Raises:
            InputError: when the length or a choice is out of range, naming the decision.
        """
        decisions = self.decisions
        if len(choices) != len(decisions):
            raise InputError(f"space {self.spec!r} has {len(decisions)} decisions, got {len(choices)} choices")
        values = tuple(int(choice) for choice in choices)
        for decision, value in zip(decisions, values):
            if not 0 <= value < decision.options:
                raise InputError(f"decision {decision.name!r} takes 0 to {decision.options - 1}, got {value}")
        return Architecture(self, values)

    def encode(self, architecture: Architecture) -> tuple[int, ...]:
        """The choices of an architecture of this space: the inverse of `decode`."""
        return architecture.choices

    def random(self, rng: np.random.Generator) -> Architecture:
        """An architecture drawn uniformly over each decision.

        Source: Zoph et al. 2017 (1707.07012), section 4.4: random search samples every decision from the uniform distribution.
        """
        options = np.array([decision.options for decision in self.decisions])
        return Architecture(self, tuple(rng.integers(options).tolist()))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change one decision, drawn uniformly among those with a choice, to another value drawn uniformly.

        Deviation: spaces with a mutation of their own in the literature override this.
        """
        free = [index for index, decision in enumerate(self.decisions) if decision.options > 1]
        index = free[int(rng.integers(len(free)))]
        step = 1 + int(rng.integers(self.decisions[index].options - 1))
        choices = list(architecture.choices)
        choices[index] = (choices[index] + step) % self.decisions[index].options
        return Architecture(self, tuple(choices))

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Every architecture that differs in exactly one decision, equal hashes included: all that the default `mutate` can give."""
        for index, decision in enumerate(self.decisions):
            for step in range(1, decision.options):
                choices = list(architecture.choices)
                choices[index] = (choices[index] + step) % decision.options
                yield Architecture(self, tuple(choices))

    def hash(self, architecture: Architecture) -> str:
        """Digest of the canonical form: 32 hexadecimal digits, versioned, stable across platforms and releases."""
        text = f"{HASH_VERSION}|{self.form(architecture)}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def function_class(self, architecture: Architecture) -> str:
        """Digest of the network's function: equal for two architectures whose networks the space can rewrite into each other.

        Here the hash: nothing is rewritten. A space that knows more of its operations overrides this; equal hashes stay in one class.
        """
        return self.hash(architecture)


def option_fields(kind: type[Space]) -> list[dataclasses.Field[Any]]:
    """Return the fields of a space that are its options."""
    return [field for field in dataclasses.fields(kind) if field.metadata.get("option", True)]


def space_options(kind: type[Space], given: Mapping[str, str]) -> dict[str, Any]:
    """Turn option texts ("blocks=3") into the typed values of a space's fields.

    Args:
        kind: the space's class.
        given: option name -> text; a tuple is written with slashes ("24/36/48").

    Raises:
        InputError: for an unknown option, or a text that does not fit the option's type.
    """
    fields = {field.name: field for field in option_fields(kind)}
    values: dict[str, Any] = {}
    for key, text in given.items():
        if key not in fields:
            allowed = ", ".join(sorted(fields)) or "none"
            raise InputError(
                f"space {kind.name!r} has no option {key!r}{did_you_mean(key, fields)}; allowed: {allowed}"
            )
        values[key] = _typed(kind.name, key, text, fields[key].default)
    return values


def _typed(space: str, key: str, text: str, like: Any) -> Any:
    try:
        if isinstance(like, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(like, tuple):
            kind = type(like[0]) if like else int  # an empty default stands for numbers the space fills in
            return tuple(kind(part) for part in text.split("/"))
        return type(like)(text)
    except (KeyError, ValueError):
        raise InputError(
            f"option {key!r} of space {space!r} takes a value like {like!r} (tuples with slashes: a/b/c), got {text!r}"
        ) from None
