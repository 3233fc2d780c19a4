"""Where children are trained: an executor has slots, takes children and hands evaluations back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType

from nasbench.evaluation import Child, Evaluation


class Executor(ABC):
    """Trains children, several at a time. Use as a context manager: leaving it ends every worker.

    Every submitted child comes back exactly once, also when its worker dies.
    """

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many children can be in training at once, >= 1."""

    @abstractmethod
    def submit(self, ticket: int, child: Child) -> None:
        """Start (or queue) a child; `ticket` comes back with its evaluation."""

    @abstractmethod
    def wait(self) -> list[tuple[int, Evaluation]]:
        """Block until at least one submitted child has ended; return all that have, in the order of their tickets."""

    @abstractmethod
    def close(self) -> None:
        """End every worker and drop what was not finished."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
