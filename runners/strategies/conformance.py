"""Checks of the rules that every strategy must follow, as functions that authors of plug-ins can call from their tests.

from nasbench.runners.strategies.conformance import check_strategy
check_strategy(MyStrategy, get_space("nasbench201"), seed=0)

Call it a second time with a space under limits, so that it checks that every proposal satisfies them:

from nasbench.spaces.constrained import under_limits
check_strategy(MyStrategy, under_limits(get_space("nasbench201"), "params <= 300k"), seed=0)
"""

from __future__ import annotations

import hashlib
import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.runners.strategies.base import Outcome, Proposal, Strategy, StrategyConfig
from nasbench.spaces.base import Architecture, Space
from nasbench.training.evaluation import Status

EPOCHS = 9
Score = Callable[[Architecture], float]
Kind = type[Strategy[Any]]
Answer = Architecture | Proposal | None


class ConformanceError(NasbenchError, AssertionError):
    """The strategy breaks a rule."""


@dataclass
class Conversation:
    """Log of a strategy's calls, in order.

    Args:
        events: an `Outcome` per `tell`, and the answer (an architecture, or None for waiting) per `ask`.
    """

    events: list[Answer | Outcome] = field(default_factory=list)

    @property
    def answers(self) -> list[Answer]:
        """Answers to each `ask`; None for waiting."""
        return [event for event in self.events if not isinstance(event, Outcome)]

    @property
    def asked(self) -> list[Proposal]:
        """Proposals, in order; an architecture alone is one of all epochs."""
        return [_proposal(answer) for answer in self.answers if answer is not None]

    @property
    def proposals(self) -> list[Architecture]:
        """Proposed architectures, in order."""
        return [proposal.architecture for proposal in self.asked]


def check_strategy(
    kind: Kind, space: Space, seed: int = 0, config: StrategyConfig | None = None, children: int = 60
) -> None:
    """Run every check below.

    Args:
        kind: the strategy's class.
        space: any space.
        seed: seed of the strategy, >= 0.
        config: the strategy's options; None for its defaults.
        children: number of children per check; should exceed the strategy's batch of outcomes.

    Raises:
        ConformanceError: at the first rule broken.
    """
    for check in (
        check_repeats,
        check_asks_fit_the_space,
        check_several_outstanding,
        check_out_of_order,
        check_failures,
        check_repeated_calls,
        check_global_random_state,
        check_epochs,
    ):
        check(kind, space, seed, config, children)


def check_repeats(kind: Kind, space: Space, seed: int, config: StrategyConfig | None, children: int) -> None:
    """Check that the same seed and outcomes give the same architectures.

    Args:
        kind: the strategy's class.
        space: any space.
        seed: seed of the strategy, >= 0.
        config: the strategy's options; None for its defaults.
        children: number of children.

    Raises:
        ConformanceError: when the strategy breaks the rule.
    """
    first, second = (converse(started(kind, space, seed, config), children) for _ in range(2))
    _require(
        first.answers == second.answers,
        kind,
        "two strategies with the same seed and the same outcomes propose different architectures",
    )


def check_asks_fit_the_space(kind: Kind, space: Space, seed: int, config: StrategyConfig | None, children: int) -> None:
    """Check that every architecture is allowed, and decodes in its own space: the given one, or one with other options.

    Args:
        kind: the strategy's class.
        space: any space.
        seed: seed of the strategy, >= 0.
        config: the strategy's options; None for its defaults.
        children: number of children.

    Raises:
        ConformanceError: when the strategy breaks the rule.
    """
    proposals = converse(started(kind, space, seed, config), children).proposals
    _require(bool(proposals), kind, "the first ask gives no architecture although nothing is outstanding")
    for architecture in proposals:
        _require(
            architecture.space.name == space.name, kind, f"proposes an architecture of {architecture.space.spec!r}"
        )
        _require(
            architecture.space.decode(architecture.choices) == architecture, kind, f"{architecture} does not decode"
        )
        _require(
            space.allows(architecture),
            kind,
            f"proposes {architecture}, which the limits of the search do not allow; ask space.allows, or use space.fitting",
        )


def check_several_outstanding(
    kind: Kind, space: Space, seed: int, config: StrategyConfig | None, children: int
) -> None:
    """Check that a search with several children in training continues, and repeats.

    Args:
        kind: the strategy's class.
        space: any space.
        seed: seed of the strategy, >= 0.
        config: the strategy's options; None for its defaults.
        children: number of children.

    Raises:
        ConformanceError: when the strategy breaks the rule.
    """
    for outstanding in (2, 7, children):
        first, second = (converse(started(kind, space, seed, config), children, outstanding) for _ in range(2))
        _require(
            first.answers == second.answers,
            kind,
            f"with {outstanding} children outstanding, the same seed asks differently",
        )
        _require(bool(first.proposals), kind, f"with {outstanding} children outstanding, nothing is proposed")


def check_out_of_order(kind: Kind, space: Space, seed: int, config: StrategyConfig | None, children: int) -> None:
    """Check that outcomes may come in any order.

    Args:
        kind: the strategy's class.
        space: any space.
        seed: seed of the strategy, >= 0.
        config: the strategy's options; None for its defaults.
        children: number of children.

    Raises:
        ConformanceError: when the strategy breaks the rule.
    """
    first, second = (
        converse(started(kind, space, seed, config), children, outstanding=5, order=random.Random(seed))
        for _ in range(2)
    )
    _require(
        first.answers == second.answers, kind, "with outcomes out of order, the same seed gives different proposals"
    )


def check_failures(kind: Kind, space: Space, seed: int, config: StrategyConfig | None, children: int) -> None:
    """Check that children without a score are accepted, even if all fail, and that their reward is finite.

    Args:
        kind: the strategy's class.
        space: any space.
        seed: seed of the strategy, >= 0.
        config: the strategy's options; None for its defaults.
        children: number of children.

    Raises:
        ConformanceError: when the strategy breaks the rule.
    """
    strategy = started(kind, space, seed, config)
    conversation = converse(strategy, children, score=lambda _: float("nan"))
    _require(bool(conversation.proposals), kind, "nothing is proposed when children fail")
    for event in conversation.events:
        if isinstance(event, Outcome):
            _require(
                np.isfinite(strategy.reward(event)),
                kind,
                f"the reward of a child with status {event.status!r} is not finite",
            )


def check_repeated_calls(kind: Kind, space: Space, seed: int, config: StrategyConfig | None, children: int) -> None:
    """Check that a new strategy that gets the same calls gives the same answers, which resuming a run depends on.

    Calls of `ask` that returned None are left out, because they must not change the strategy.

    Args:
        kind: the strategy's class.
        space: any space.
        seed: seed of the strategy, >= 0.
        config: the strategy's options; None for its defaults.
        children: number of children.

    Raises:
        ConformanceError: when the strategy breaks the rule.
    """
    conversation = converse(started(kind, space, seed, config), children, outstanding=4, order=random.Random(seed + 1))
    repeated = started(kind, space, seed, config)
    for event in conversation.events:
        if isinstance(event, Outcome):
            repeated.tell(event)
        elif event is not None:
            _require(repeated.ask() == event, kind, "the same asks and tells give another architecture")


def check_global_random_state(
    kind: Kind, space: Space, seed: int, config: StrategyConfig | None, children: int
) -> None:
    """Check that global random generators (random, numpy, torch) are not changed and do not influence the answers.

    Args:
        kind: the strategy's class.
        space: any space.
        seed: seed of the strategy, >= 0.
        config: the strategy's options; None for its defaults.
        children: number of children.

    Raises:
        ConformanceError: when the strategy breaks the rule.
    """
    answers = []
    for state in (12345, 67890):
        with _global_generators_at(state):
            before = _global_random_states()
            answers.append(converse(started(kind, space, seed, config), children).answers)
            untouched = _global_random_states() == before
        _require(
            untouched, kind, "a global random generator was used or seeded; take one of your own, seeded with `seed`"
        )
    _require(answers[0] == answers[1], kind, "the state of a global random generator changes the proposals")


def check_epochs(kind: Kind, space: Space, seed: int, config: StrategyConfig | None, children: int) -> None:
    """Check that epochs of proposals are those of a training, and that what is continued is there and stopped before.

    Args:
        kind: the strategy's class.
        space: any space.
        seed: seed of the strategy, >= 0.
        config: the strategy's options; None for its defaults.
        children: number of children.

    Raises:
        ConformanceError: when the strategy breaks the rule.
    """
    conversation = converse(started(kind, space, seed, config), children, outstanding=3, order=random.Random(seed))
    partial = any(isinstance(answer, Proposal) for answer in conversation.answers)
    _require(partial <= kind.asks_epochs, kind, "gives proposals with epochs, but its class has asks_epochs = False")
    ended: dict[int, Outcome] = {}
    asked: list[Proposal] = []
    for event in conversation.events:
        if isinstance(event, Outcome):
            ended[event.index] = event
        elif event is not None:
            proposal = _proposal(event)
            asked.append(proposal)
            _require(1 <= proposal.epochs <= EPOCHS, kind, f"asks for {proposal.epochs} of {EPOCHS} epochs")
            if proposal.continues is not None:
                before = ended.get(proposal.continues)
                _require(before is not None and before.status == "ok", kind, "continues a child without a score")
                earlier = asked[proposal.continues]
                same = earlier.architecture == proposal.architecture and earlier.epochs < proposal.epochs
                _require(same, kind, "continues a child of another architecture, or one that is as long")


def started(kind: Kind, space: Space, seed: int, config: StrategyConfig | None) -> Strategy[Any]:
    """Make a strategy as a run whose trainings have `EPOCHS` epochs does.

    Args:
        kind: the strategy's class.
        space: any space.
        seed: seed of the strategy, >= 0.
        config: the strategy's options; None for its defaults.

    Returns:
        The strategy.
    """
    options = config if config is not None else kind.config_type()
    if kind.asks_epochs and getattr(options, "max_epochs", None) == 0:
        options = options.model_copy(update={"max_epochs": EPOCHS})
    return kind(space, seed, options if kind.asks_epochs else config)


def _proposal(answer: Architecture | Proposal) -> Proposal:
    return answer if isinstance(answer, Proposal) else Proposal(answer, EPOCHS)


def converse(
    strategy: Strategy[Any],
    children: int,
    outstanding: int = 1,
    order: random.Random | None = None,
    score: Score | None = None,
) -> Conversation:
    """Run a strategy with invented scores, without training anything.

    Args:
        strategy: a new strategy.
        children: number of children after which the search stops.
        outstanding: number of children in training at once, >= 1.
        order: chooses the child that ends next; None for the oldest.
        score: validation accuracy of an architecture in [0, 1], NaN for a failure; None for `made_up_score`.

    Returns:
        Log of the calls; shorter if the strategy ends the search.
    """
    conversation = Conversation()
    training: list[tuple[int, Proposal]] = []
    proposed = received = 0
    while received < children:
        if proposed < children and len(training) < outstanding:
            answer = strategy.ask()
            conversation.events.append(answer)
            if answer is not None:
                training.append((proposed, _proposal(answer)))
                proposed += 1
                continue
        if not training:
            break
        index, proposal = training.pop(order.randrange(len(training)) if order else 0)
        architecture = proposal.architecture
        outcome = made_up_outcome(index, architecture, (score or made_up_score)(architecture), proposal.epochs)
        conversation.events.append(outcome)
        strategy.tell(outcome)
        received += 1
    return conversation


def made_up_score(architecture: Architecture) -> float:
    """Invent a validation accuracy that depends only on the choices of an architecture.

    Args:
        architecture: any architecture.

    Returns:
        A number in [0, 1]; NaN, which stands for a failed training, for about one architecture in sixteen.
    """
    digest = hashlib.blake2b(repr(architecture.choices).encode(), digest_size=2).digest()
    return float("nan") if digest[1] < 16 else digest[0] / 255


def made_up_outcome(index: int, architecture: Architecture, score: float, epochs: int = EPOCHS) -> Outcome:
    """Make an outcome with a given validation accuracy.

    Args:
        index: number of the proposal, from 0.
        architecture: the proposed architecture.
        score: validation accuracy of the whole training in [0, 1], or NaN.
        epochs: epoch up to which it is trained.

    Returns:
        The outcome, with a curve that rises to the score; a failure without a curve if the score is NaN.
    """
    status: Status = "failed" if np.isnan(score) else "ok"
    curve = tuple(score * epoch / EPOCHS for epoch in range(1, epochs + 1)) if status == "ok" else ()
    reached = score if epochs == EPOCHS or not curve else curve[-1]
    return Outcome(index, architecture, status, curve, reached, 1, 1, device_seconds=1.0, epochs=len(curve))


def _require(condition: bool | np.bool_, kind: Kind, message: str) -> None:
    if not condition:
        raise ConformanceError(f"strategy {kind.name!r}: {message}")


def _global_random_states() -> tuple[bytes, bytes, bytes]:
    import torch

    numpy_state = np.random.get_state()  # noqa: NPY002 - the legacy generator is the one a strategy must not touch
    return pickle.dumps(random.getstate()), pickle.dumps(numpy_state), torch.get_rng_state().numpy().tobytes()


@contextmanager
def _global_generators_at(seed: int) -> Iterator[None]:
    """Seed the global generators within the block, and restore their states afterwards."""
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_rng_state(states[2])
