"""Checks that every search space must pass, for this suite's tests and for authors of plug-ins. They need no pytest.

Call `check_space(MySpace(), numpy.random.default_rng(0))` and, where torch may be imported, `check_network(...)`.
"""

from __future__ import annotations

import math
import pickle

import numpy as np

from nasbench.errors import InputError
from nasbench.spaces.base import Architecture, Space
from nasbench.structures import Scale

MAX_DECISION_NAME = 80


def check_space(space: Space, rng: np.random.Generator, samples: int = 50) -> None:
    """Check everything that needs no network: decisions, sampling, mutation, identity, round trips.

    Args:
        space: the space to check.
        rng: source of the architectures that are tried.
        samples: number of architectures that are tried, >= 2.

    Raises:
        AssertionError: when a check fails, with one line that names the rule and the architecture that breaks it.
    """
    check_decisions(space)
    check_bad_choices(space)
    check_value(space)
    for _ in range(samples):
        architecture = space.random(rng)
        check_architecture(architecture)
        check_mutation(architecture, rng)
    check_sampling(space, rng, samples)


def check_decisions(space: Space) -> None:
    """Check the decisions of a space: unique names, one label per option, layers in order, skips from earlier layers.

    Args:
        space: the space to check.

    Raises:
        AssertionError: when a decision breaks a rule, or the size of the space is not the product of the numbers of
            options.
    """
    decisions = space.decisions
    _require(len(decisions) > 0, f"{space.spec}: has no decisions")
    _require(len({d.name for d in decisions}) == len(decisions), f"{space.spec}: two decisions share a name")
    _require(space.size == math.prod(d.options for d in decisions), f"{space.spec}: size is not the product of options")
    last = 0
    for decision in decisions:
        where = f"{space.spec}: decision {decision.name!r}"
        _require(0 < len(decision.name) <= MAX_DECISION_NAME, f"{where} has no usable name")
        _require(decision.options >= 1 and len(decision.labels) == decision.options, f"{where}: one label per option")
        _require(len(set(decision.labels)) == decision.options, f"{where}: two options share a label")
        _require(decision.layer >= last, f"{where}: layers must not go back")
        last = decision.layer
        if decision.kind == "skip":
            source = decision.source
            _require(decision.options == 2, f"{where}: a skip is a yes/no")
            _require(source is not None and 0 <= source < decision.layer, f"{where}: reads an earlier layer")
        else:
            _require(decision.source is None, f"{where}: only a skip has a source")


def check_bad_choices(space: Space) -> None:
    """Check that `decode` raises `InputError` for too few choices, too many, and choices out of range.

    Args:
        space: the space to check.

    Raises:
        AssertionError: when `decode` accepts one of them.
    """
    zeros = [0] * len(space.decisions)
    high = [space.decisions[0].options, *zeros[1:]]
    for name, choices in (("too few", zeros[1:]), ("too many", [*zeros, 0]), ("low", [-1, *zeros[1:]]), ("high", high)):
        try:
            space.decode(choices)
        except InputError:
            continue
        raise AssertionError(f"{space.spec}: decode takes choices that are {name}")


def check_value(space: Space) -> None:
    """Check that a space is a value: hashable, equal to its pickled copy and to the registered space of its `spec`.

    Args:
        space: the space to check.

    Raises:
        AssertionError: when a copy differs.
    """
    from nasbench.spaces import SPACES, get_space

    copy = pickle.loads(pickle.dumps(space))
    _require(copy == space and hash(copy) == hash(space), f"{space.spec}: its pickled copy differs")
    if space.name in SPACES:
        _require(get_space(space.spec) == space, f"{space.spec}: the spec names another space")


def check_architecture(architecture: Architecture) -> None:
    """Check copies, encodings, hash and canonical architecture of an architecture.

    Args:
        architecture: the architecture to check.

    Raises:
        AssertionError: when a copy differs, the hash is no 32 hexadecimal digits, the canonical architecture has
            another hash, form or structure or is not its own canonical one, or the text for people is empty or has
            several lines.
    """
    from nasbench.spaces import SPACES, from_json

    space = architecture.space
    where = f"{space.spec} {list(architecture.choices)}"
    _require(space.decode(space.encode(architecture)) == architecture, f"{where}: decode(encode) differs")
    _require(pickle.loads(pickle.dumps(architecture)) == architecture, f"{where}: its pickled copy differs")
    if space.name in SPACES:
        _require(from_json(architecture.to_json()) == architecture, f"{where}: its JSON copy differs")
    digits = architecture.hash
    _require(len(digits) == 32 and set(digits) <= set("0123456789abcdef"), f"{where}: hash {digits!r} is no 32 digits")
    _require(space.decode(architecture.choices).hash == digits, f"{where}: the hash changes between calls")
    canonical = space.canonical(architecture)
    _require(space.decode(canonical.choices) == canonical, f"{where}: the canonical one is not of the space")
    _require(canonical.hash == digits, f"{where}: the canonical one {list(canonical.choices)} has another hash")
    _require(space.canonical(canonical) == canonical, f"{where}: canonical is not idempotent")
    _require(space.structure(canonical) == space.structure(architecture), f"{where}: canonical has another structure")
    _require(space.form(canonical) == space.form(architecture), f"{where}: canonical has another form")
    _require(bool(str(architecture)) and "\n" not in str(architecture), f"{where}: describe gives no single line")


def check_mutation(architecture: Architecture, rng: np.random.Generator) -> None:
    """Check that a mutation is an architecture of the same space. It may be the one that it started from.

    Args:
        architecture: the architecture to mutate.
        rng: source of the mutation.

    Raises:
        AssertionError: when the mutation is not of the space.
    """
    space = architecture.space
    mutated = space.mutate(architecture, rng)
    _require(mutated.space == space, f"{space.spec}: a mutation left the space")
    _require(space.decode(mutated.choices) == mutated, f"{space.spec}: a mutation is not of the space")


def check_sampling(space: Space, rng: np.random.Generator, samples: int) -> None:
    """Check that `random` depends on the generator alone, and gives different architectures for different seeds.

    Args:
        space: the space to check.
        rng: source of the seeds.
        samples: number of seeds, >= 2.

    Raises:
        AssertionError: when equal seeds give different architectures, or all seeds give one although the space has
            several.
    """
    seed = int(rng.integers(2**31))
    draws = [[space.random(np.random.default_rng(seed + shift)) for shift in range(samples)] for _ in range(2)]
    _require(draws[0] == draws[1], f"{space.spec}: equal generators give different architectures")
    _require(space.size == 1 or len(set(draws[0])) > 1, f"{space.spec}: {samples} seeds give one architecture")


def check_network(architecture: Architecture, scale: Scale) -> None:
    """Check that counted parameters are those of the built network, and that equal hashes build equal modules.

    Imports torch.

    Args:
        architecture: the architecture to build.
        scale: size of the network and of its images, small enough for a test.

    Raises:
        AssertionError: when a count differs, with both numbers, or the canonical architecture builds a module whose
            tensors have other names or shapes.
    """
    space = architecture.space
    where = f"{space.spec} {list(architecture.choices)}"
    counts = space.count(architecture, scale)
    built = space.build(architecture, scale)
    params = sum(parameter.numel() for parameter in built.parameters() if parameter.requires_grad)
    _require(counts.params == params, f"{where}: counts {counts.params} parameters, the built network has {params}")
    canonical = space.canonical(architecture)
    _require(space.count(canonical, scale) == counts, f"{where}: the canonical one has other counts")
    shapes = {name: tuple(value.shape) for name, value in built.state_dict().items()}
    others = {name: tuple(value.shape) for name, value in space.build(canonical, scale).state_dict().items()}
    _require(shapes == others, f"{where}: the canonical one builds other modules")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)
