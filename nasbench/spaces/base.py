"""Base class of search spaces, and architectures as values: a strategy sees a space as a sequence of decisions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
"""How notebooks display an architecture. The function is named as text, because its module imports this one."""


@dataclass(frozen=True)
class Decision:
    """One decision of a space; an architecture has one choice for it.

    Args:
        name: unique within the space, e.g. "normal/block2/left".
        options: number of options, >= 1; a choice is an int in [0, options).
        labels: meaning of each choice, for people; `options` different strings.
        group: decisions of one group have options of the same meaning ("operation", "input"), so that a controller may
            use the same embeddings and softmax weights for them.
        layer: layer or block to which the decision belongs, from 0, counted over the whole architecture.
        kind: "categorical", or "skip" for an independent yes/no (options = 2) that connects `source` to `layer`.
        source: for a skip decision, the earlier layer that is read if the choice is yes, from 0; otherwise None.
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
    """An architecture as a value: its space and its choices. It has no weights.

    Args:
        space: the space to which it belongs.
        choices: one int per decision of the space, each in [0, options). `Space.decode` checks this; the constructor
            does not.
    """

    space: Space
    choices: tuple[int, ...]

    @property
    def hash(self) -> str:
        """Identity of the graph, 32 hexadecimal digits.

        Two architectures have the same hash exactly when their graphs are isomorphic after everything that cannot reach
        the output is removed.
        """
        return self.space.hash(self)

    def to_json(self) -> str:
        """Write the architecture as one line of JSON, which `nasbench.spaces.from_json` reads back."""
        return json.dumps({"space": self.space.spec, "choices": list(self.choices)}, separators=(",", ":"))

    def __str__(self) -> str:
        return self.space.describe(self)

    def _repr_html_(self) -> str:
        return REPRESENTATIONS.get("html")(self)


@dataclass(frozen=True)
class Space(ABC):
    """A search space. Subclasses are frozen dataclasses whose fields are the space's options.

    A subclass implements `name`, `decisions`, `structure`, `form`, `canonical`, `describe`, `count_at` and `build`.

    The hash is a digest of `form`, so `form` must be a canonical text of the graph that is built, and of nothing else.
    Only the graph counts, not the function it computes: sums regrouped through identities, a pool of a pool, or a
    linear operation moved across a sum are other graphs and have other hashes, even where the function is the same.

    `network_version` is raised when a change of the code changes the function that the built networks compute. It is
    part of the fingerprint of scores, so scores of the old networks are never compared with scores of the new ones.
    Hashes do not depend on it. A space can still build its earlier networks (`with_networks`), so that stored scores
    can be verified and stored runs resumed.
    """

    name: ClassVar[str]
    network_version: ClassVar[int] = 1
    has_networks: ClassVar[bool] = True
    """Whether architectures can be built and counted; without networks there are only tables."""
    default_protocol: ClassVar[str] = "nasnet2017"
    """Name of the protocol whose scale `count` uses by default."""
    default_size: ClassVar[str] = ""
    """What `default_scale` is the size of, for people; "" for that of `default_protocol`."""

    networks: int = dataclasses.field(default=0, kw_only=True, metadata={"option": False})
    """Version of the networks that `build` makes; 0 means `network_version`. Not an option; `with_networks` sets it."""

    @property
    def built_version(self) -> int:
        """Version of the networks that `build` makes, >= 1."""
        return self.networks or self.network_version

    def with_networks(self, version: int) -> Space:
        """Return a copy of this space that builds the networks of a given version.

        Args:
            version: 1 to `network_version`.

        Returns:
            An equal space if the version is the one that this space builds already.

        Raises:
            InputError: when there is no such version.
        """
        if not 1 <= version <= self.network_version:
            raise InputError(f"space {self.name!r} has networks of version 1 to {self.network_version}, got {version}")
        return dataclasses.replace(self, networks=0 if version == self.network_version else version)

    @property
    @abstractmethod
    def decisions(self) -> tuple[Decision, ...]:
        """The decisions, in the order in which a sequential strategy makes them. Subclasses cache them."""

    @abstractmethod
    def structure(self, architecture: Architecture) -> Any:
        """Return the canonical description of the network, from which counts, networks and drawings are made.

        Args:
            architecture: an architecture of this space.

        Returns:
            A value of `nasbench.structures`, e.g. a `CellPair`; architectures with equal hashes have equal ones.
        """

    @abstractmethod
    def form(self, architecture: Architecture) -> str:
        """Return a canonical text of the graph; the hash is its digest.

        Args:
            architecture: an architecture of this space.

        Returns:
            A text that is equal for two architectures exactly when their graphs are isomorphic after everything that
            cannot reach the output is removed. It never changes between releases, as hashes are stored.
        """

    @abstractmethod
    def canonical(self, architecture: Architecture) -> Architecture:
        """Return the one architecture that represents all architectures of the same hash.

        Args:
            architecture: an architecture of this space.

        Returns:
            An architecture of this space with the same hash; it is its own canonical architecture.
        """

    @abstractmethod
    def describe(self, architecture: Architecture) -> str:
        """Write the architecture for people, in one line.

        Args:
            architecture: an architecture of this space.

        Returns:
            One line in the notation of the space's paper. Spaces that have a method `parse` read it back.
        """

    @abstractmethod
    def count_at(self, architecture: Architecture, scale: Scale) -> Counts:
        """Count parameters, and multiply-adds for one image, in closed form.

        Args:
            architecture: an architecture of this space.
            scale: size of the network and of its images.

        Returns:
            The counts of the network that `build` makes at this scale. No network is built, and torch is not imported.

        Raises:
            InputError: when the scale does not fit the space, e.g. an ImageNet stem for networks that are not made of
                cells.
        """

    @abstractmethod
    def build(self, architecture: Architecture, scale: Scale, regularization: Regularization | None = None) -> Network:
        """Build the torch module of an architecture. Imports torch.

        Args:
            architecture: an architecture of this space.
            scale: size of the network and of its images.
            regularization: drop-path, auxiliary head and dropout, as far as the space's networks have them; None for
                none.

        Returns:
            The network of the canonical structure, so equal hashes build equal modules. Initial weights are drawn from
            torch's global generator.

        Raises:
            InputError: when the scale does not fit the space.
        """

    def count(self, architecture: Architecture, scale: Scale | None = None) -> Counts:
        """Count parameters, and multiply-adds for one image. No network is built, and torch is not imported.

        Args:
            architecture: an architecture of this space.
            scale: size of the network and of its images; None for `default_scale`.

        Returns:
            The counts of the network that `build` makes at this scale.

        Raises:
            InputError: when the scale does not fit the space.

        Example:
            >>> import nasbench
            >>> space = nasbench.get_space("nasbench201")
            >>> space.count(space.decode([3, 3, 3, 3, 3, 3]))
            Counts(params=1531546, mult_adds=220119680)
        """
        return self.count_at(architecture, self.default_scale if scale is None else scale)

    @property
    def default_scale(self) -> Scale:
        """Size of the network and of the images under the protocol `default_protocol`. Reads no data."""
        from nasbench.data import image_shape
        from nasbench.protocols.protocol import get_protocol

        protocol = get_protocol(self.default_protocol)
        return protocol.scale(*image_shape(protocol.data))

    @property
    def spec(self) -> str:
        """Name and options as `get_space` takes them, e.g. "nasnet:blocks=3"; options at their default are left out."""
        options = []
        for field in option_fields(type(self)):
            value = getattr(self, field.name)
            if value != field.default:
                options.append(f"{field.name}={_option_text(value)}")
        return self.name + (":" + ",".join(options) if options else "")

    @property
    def size(self) -> int:
        """Number of sequences of choices. Several sequences may have one hash."""
        return math.prod(decision.options for decision in self.decisions)

    def decode(self, choices: Sequence[int]) -> Architecture:
        """Make an architecture from a sequence of choices.

        Args:
            choices: one int per decision, each in [0, options).

        Returns:
            The architecture with these choices.

        Raises:
            InputError: when the number of choices is wrong, or a choice is out of range; names the decision.
        """
        decisions = self.decisions
        if len(choices) != len(decisions):
            raise InputError(f"space {self.spec[:100]!r} has {len(decisions)} decisions, got {len(choices)} choices")
        values = tuple(int(choice) for choice in choices)
        for decision, value in zip(decisions, values):
            if not 0 <= value < decision.options:
                raise InputError(f"decision {decision.name!r} takes 0 to {decision.options - 1}, got {str(value)[:40]}")
        return Architecture(self, values)

    def encode(self, architecture: Architecture) -> tuple[int, ...]:
        """Return the choices of an architecture: the inverse of `decode`.

        Args:
            architecture: an architecture of this space.

        Returns:
            One int per decision.
        """
        return architecture.choices

    def random(self, rng: np.random.Generator) -> Architecture:
        """Draw an architecture: each choice independently and uniformly.

        Args:
            rng: source of the choices.

        Returns:
            The architecture. Hashes that more sequences of choices have are drawn more often.

        Source: Zoph et al. 2017 (1707.07012), section 4.4: random search samples every decision from the uniform
        distribution.
        """
        options = np.array([decision.options for decision in self.decisions])
        return Architecture(self, tuple(rng.integers(options).tolist()))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Change one choice.

        Its decision is drawn uniformly among those with several options, and its new value among the other options.

        Args:
            architecture: an architecture of this space.
            rng: source of the mutation.

        Returns:
            An architecture that differs in one choice; its hash may be the same. In a space of one architecture, that
            one.

        Deviation: spaces whose paper has a mutation of its own override this.
        """
        free = [index for index, decision in enumerate(self.decisions) if decision.options > 1]
        if not free:
            return architecture
        index = free[int(rng.integers(len(free)))]
        return self._changed(architecture, index, 1 + int(rng.integers(self.decisions[index].options - 1)))

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Yield every architecture that differs in exactly one choice.

        Args:
            architecture: an architecture of this space.

        Yields:
            All that the default `mutate` can return, each once, in the order of the decisions. Some may have the same
            hash.
        """
        for index, decision in enumerate(self.decisions):
            for step in range(1, decision.options):
                yield self._changed(architecture, index, step)

    def allows(self, architecture: Architecture) -> bool:
        """Check whether a search may propose an architecture.

        A space allows all of its architectures; the view that a search with limits gets (`where_arch`) allows those
        that satisfy its condition. A strategy that makes architectures by `decode` must ask this before it proposes
        one.

        Args:
            architecture: an architecture of this space, or of a variation of its options.

        Returns:
            True if it may be proposed.
        """
        return True

    def fitting(self, draws: Iterable[Architecture], tries: int | None = None) -> Iterator[Architecture]:
        """Leave out the architectures that `allows` rejects. For strategies that draw architectures in their own way.

        Args:
            draws: the draws, usually without end.
            tries: how many may be rejected in a row, >= 1; None for 10,000. At most 500 where each must be measured.

        Yields:
            The allowed ones, in their order. No further one is drawn before it is needed.

        Raises:
            NothingFits: when so many in a row are rejected.
        """
        yield from draws

    def _changed(self, architecture: Architecture, index: int, step: int) -> Architecture:
        """Return an architecture with one choice raised by `step`; after the last option comes the first."""
        choices = list(architecture.choices)
        choices[index] = (choices[index] + step) % self.decisions[index].options
        return Architecture(self, tuple(choices))

    def hash(self, architecture: Architecture) -> str:
        """Return the digest of `form`, by which equal graphs are recognized.

        Args:
            architecture: an architecture of this space.

        Returns:
            32 hexadecimal digits, the same on every platform and in every release.
        """
        text = f"{HASH_VERSION}|{self.form(architecture)}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def function_class(self, architecture: Architecture) -> str:
        """Return a digest of the function that the network computes, as far as the space can recognize equal functions.

        By default this is the hash: nothing is rewritten. A space that knows more about its operations overrides it.
        Architectures with equal hashes have equal digests of their function.

        Args:
            architecture: an architecture of this space.

        Returns:
            32 hexadecimal digits; equal where the space can rewrite one network into the other.
        """
        return self.hash(architecture)


def option_fields(kind: type[Space]) -> list[dataclasses.Field[Any]]:
    """Return the dataclass fields of a space that are its options.

    Args:
        kind: the space's class.

    Returns:
        The fields in the order of their definition, without `networks`, which is not an option.
    """
    return [field for field in dataclasses.fields(kind) if field.metadata.get("option", True)]


def space_options(kind: type[Space], given: Mapping[str, str]) -> dict[str, Any]:
    """Convert the texts of options ("3") to the types of a space's fields.

    Args:
        kind: the space's class.
        given: option name -> text; the parts of a tuple are separated by slashes ("24/36/48").

    Returns:
        Option name -> value, for the given options only. The space's constructor checks ranges.

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
            kind = type(like[0]) if like else int  # an empty default, as that of nas:filters, is for numbers
            return tuple(kind(part) for part in text.split("/"))
        return type(like)(text)
    except (KeyError, ValueError):
        example = _option_text(like) or "24/36"
        raise InputError(f"option {key!r} of space {space!r} takes a value like {example}, got {text!r}") from None


def _option_text(value: Any) -> str:
    """Write an option's value as `space_options` reads it."""
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
