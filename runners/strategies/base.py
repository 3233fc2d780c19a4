"""What a search strategy is: ask for an architecture, be told how it did, and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from nasbench.spaces.base import Architecture, Space
from nasbench.training.evaluation import Status


class StrategyConfig(BaseModel):
    """Options of a strategy; each field carries a description with its source, which `nasbench strategies show` prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Outcome:
    """What a strategy is told of a child. There is no test score in it, so none can leak.

    Args:
        index: the child's place in the order of asking, from 0.
        architecture: as asked for.
        status: "ok", or why the child has no score.
        val_curve: validation accuracy in [0, 1] after each completed epoch; may be empty.
        val_acc: validation accuracy after the last epoch in [0, 1]; NaN when status is not "ok".
        params: trainable parameters.
        mult_adds: multiply-adds for one image.
        device_seconds: what the child is charged.
    """

    index: int
    architecture: Architecture
    status: Status
    val_curve: tuple[float, ...]
    val_acc: float
    params: int
    mult_adds: int
    device_seconds: float


C = TypeVar("C", bound=StrategyConfig)


class Strategy(ABC, Generic[C]):
    """A search strategy as a pure function of its seed and of what it was told.

    No clock, no files, no global random state: every random number comes from generators seeded with `seed`. The same calls in the
    same order give the same answers, which is how a run is resumed and how a table is replayed.

    Args:
        space: where to search.
        seed: of every random draw, >= 0.
        config: the strategy's options; its defaults when None.
    """

    name: ClassVar[str]
    config_type: ClassVar[type[StrategyConfig]] = StrategyConfig
    charged_as: ClassVar[str] = "searcher"
    """The category of the ledger that the seconds of `ask` and `tell` are charged to: "searcher", or "supernet" for a strategy that
    spends them on training weights that architectures share."""

    def __init__(self, space: Space, seed: int, config: C | None = None) -> None:
        self.space, self.seed = space, seed
        self.config: C = config if config is not None else self.config_type()  # type: ignore[assignment]

    @abstractmethod
    def ask(self) -> Architecture | None:
        """The next architecture to train, or None to wait for outcomes (with none outstanding: the search is over).

        An ask that answers None leaves the strategy as it was.
        """

    @abstractmethod
    def tell(self, outcome: Outcome) -> None:
        """Learn how a child did. Outcomes come in any order, each once."""

    def asks_ahead(self, outstanding: int) -> bool:
        """Whether the next ask gives what it would give if the children asked for and not told yet had been told before it.

        A run with `ordered` asks for several children at once only where this holds, so that it asks for what a sequential run asks
        for. Strategies that ask in batches say so here; without that, a child waits for the one before it.

        Args:
            outstanding: children asked for and not told yet, >= 0; all before them were told in the order of asking.
        """
        return outstanding == 0

    def reward(self, outcome: Outcome) -> float:
        """What the strategy learns from a child: its validation accuracy, and 0 where it has none."""
        return outcome.val_acc if outcome.status == "ok" else 0.0
