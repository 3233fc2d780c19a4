"""Interface of a search strategy: `ask()` proposes an architecture, or one up to an epoch; `tell()` receives its outcome."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from nasbench.spaces.base import Architecture, Space
from nasbench.training.clocks import Clock
from nasbench.training.evaluation import Status

if TYPE_CHECKING:
    from nasbench.protocols.protocol import Protocol


S = TypeVar("S", bound="StrategyConfig")


class StrategyConfig(BaseModel):
    """Options of a strategy. Each field has a description with its source, which `nasbench strategies show` prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def measured(self) -> tuple[str, ...]:
        """Measured quantities that outcomes must have, e.g. ("latency",); accuracy and counts are always there."""
        return ()

    def within_run(self: S, protocol: Protocol) -> S:
        """Return the options for a run, for a strategy that trains or scores networks itself.

        Args:
            protocol: protocol of the run, with the fields that the user replaced.

        Returns:
            The options themselves, unless a strategy follows the run's protocol.
        """
        return self


@dataclass(frozen=True)
class Proposal:
    """An architecture to train up to an epoch, at which the training stops; a later proposal may continue it.

    The learning rate follows the schedule of the whole training in both cases, so a training that stops and continues
    has the bits of one that never stopped.

    Args:
        architecture: the architecture.
        epochs: epoch after which the training stops, from 1 to the number of epochs of the protocol.
        continues: number of the earlier proposal whose training goes on, in the order of `ask()` calls, from 0: of the
            same architecture, to fewer epochs, with an outcome of status "ok". None for a training from the start, or
            from any earlier training of this run with the same hash and seed.
    """

    architecture: Architecture
    epochs: int
    continues: int | None = None


@dataclass(frozen=True)
class Outcome:
    """Result of a child as `tell()` receives it. It has no test score, so none can leak into a search.

    Args:
        index: number of the proposal in the order of `ask()` calls, from 0.
        architecture: the proposed architecture.
        status: "ok", or the reason why the child has no score.
        val_curve: validation accuracy in [0, 1] after each completed epoch; may be empty.
        val_acc: validation accuracy after the last epoch in [0, 1]; NaN if status is not "ok". Of a training that was to
            stop early, this is the epoch at which it stopped.
        params: trainable parameters.
        mult_adds: multiply-adds for one image.
        device_seconds: device-seconds charged for the child; of one that continues another, for the added epochs.
        epochs: completed epochs, those of the child that it continues included; 0 if they are unknown.
        measured: measured quantities that the strategy asks for (`StrategyConfig.measured`), in their units, e.g. latency.
    """

    index: int
    architecture: Architecture
    status: Status
    val_curve: tuple[float, ...]
    val_acc: float
    params: int
    mult_adds: int
    device_seconds: float
    epochs: int = 0
    measured: Mapping[str, float] = field(default_factory=dict)


C = TypeVar("C", bound=StrategyConfig)


class Strategy(ABC, Generic[C]):
    """Base class of search strategies. A strategy is a pure function of its seed and of the outcomes it received.

    It uses no clock, no files and no global random state: every random number comes from generators seeded with `seed`.
    The same calls in the same order give the same answers. Resuming a run and replaying a table depend on this.

    Args:
        space: the space to search.
        seed: seed of all random draws, >= 0.
        config: the strategy's options; None for its defaults.
    """

    name: ClassVar[str]
    config_type: ClassVar[type[StrategyConfig]] = StrategyConfig
    main_option: ClassVar[str] = ""
    """The option whose value may stand alone behind the name, e.g. "sampler" for "optuna:tpe"; "" for none."""
    charged_as: ClassVar[str] = "searcher"
    """Ledger category of the seconds in `ask` and `tell`: "searcher", or "supernet" for a strategy that
    spends them on training weights that architectures share."""
    asks_epochs: ClassVar[bool] = False
    """Whether `ask` gives `Proposal`s. The options of such a strategy have a field `max_epochs`, the epochs of a whole
    training; where it is 0, the run fills in those of its protocol, and a replay those of its table."""

    begins_at_random: ClassVar[bool] = True
    """Whether its first architectures are draws of `space.random`, so that a warm start can replace them."""

    charged_by: Clock = "held"
    """Clock of what a replay charges in "supernet"; a run charges held time always."""

    def __init__(self, space: Space, seed: int, config: C | None = None) -> None:
        self.space, self.seed = space, seed
        self.config: C = config if config is not None else self.config_type()  # type: ignore[assignment]

    @classmethod
    def auto_options(cls, children: int) -> dict[str, Any] | None:
        """Return settings that scale with the budget, for the option preset=auto.

        Args:
            children: children that the budget pays for, >= 1.

        Returns:
            Option -> value; None if the strategy has no such settings.
        """
        return None

    @classmethod
    def auto_options_for(cls, children: int, epochs: int, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return settings that scale with the budget, where more than the number of children decides them.

        Args:
            children: see `auto_options`.
            epochs: epochs of a child's training, >= 1.
            given: options that the user gives beside; they win.

        Returns:
            Option -> value; those of `auto_options` unless a strategy says otherwise.
        """
        return cls.auto_options(children)

    @classmethod
    def paper_options(cls) -> dict[str, Any]:
        """Return the paper's settings, for the option preset=paper, as far as the defaults differ from them.

        Returns:
            Option -> value; empty if the defaults are the paper's, or have none.
        """
        return {}

    @classmethod
    def paper_options_on(cls, space: str) -> dict[str, Any]:
        """Return the paper's settings, where the paper has others for some spaces.

        Args:
            space: name of the space, without its options; "" if it is not known.

        Returns:
            Option -> value; those of `paper_options` unless a strategy says otherwise.
        """
        return cls.paper_options()

    @classmethod
    def advice(cls, config: StrategyConfig, children: int) -> str:
        """Say what a user should know about options and a budget before the search.

        Args:
            config: the options.
            children: children that the budget pays for, >= 1.

        Returns:
            A sentence; "" if there is nothing to say.
        """
        return ""

    @classmethod
    def remark(cls, config: StrategyConfig) -> str:
        """Say what a user should know about options before the search, whatever its budget.

        Args:
            config: the options.

        Returns:
            A sentence; "" if there is nothing to say.
        """
        return ""

    @abstractmethod
    def ask(self) -> Architecture | Proposal | None:
        """Propose the next architecture to train.

        Returns:
            The architecture, to be trained over all epochs of the protocol; or a proposal with the epoch at which to
            stop; or None to wait for outcomes; None while no outcome is pending ends the search. A call
            that returns None does not change the strategy.
        """

    @abstractmethod
    def tell(self, outcome: Outcome) -> None:
        """Receive the outcome of a child. Outcomes come in any order, each once.

        Args:
            outcome: the outcome; `outcome.index` is the number of its proposal.
        """

    def asks_ahead(self, outstanding: int) -> bool:
        """Whether `ask()` is independent of the outcomes that are still pending.

        A run with `ordered` has several children in training only while this is true, so that it proposes the same
        children as a sequential run. Strategies that propose batches should override this; by default a child waits for
        the one before it.

        Args:
            outstanding: number of proposals whose outcomes are pending, >= 0; all earlier outcomes were received in the
                order of the proposals.

        Returns:
            True only if `ask()` would return the same whatever the pending outcomes are.
        """
        return outstanding == 0

    def reward(self, outcome: Outcome) -> float:
        """Compute the reward of a child, which the strategy maximizes.

        Args:
            outcome: the outcome of the child.

        Returns:
            Its validation accuracy in [0, 1], or 0 if its status is not "ok".
        """
        return outcome.val_acc if outcome.status == "ok" else 0.0
