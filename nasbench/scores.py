"""The score by which runs are judged: accuracy or another quantity. It decides labels, units and how numbers are written.

All analyses compute with oriented scores, of which higher ones are better: those of a score whose lower values are better
are negated. What is printed, drawn and saved is turned back by the functions of `Score`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd

LOWER: Final = "lower"
HIGHER: Final = "higher"
VAL: Final = "val_"
TEST: Final = "test_"
VAL_ACC: Final = "val_acc"
TEST_ACC: Final = "test_acc"
_NAMES: Final = {VAL_ACC: "validation accuracy", TEST_ACC: "test accuracy"}
_PERCENT: Final = 100.0
_NO_CHOICE: Final = 0.0


@dataclass(frozen=True)
class Score:
    """What runs are judged by.

    Args:
        val: name of the score on validation data, which searches see.
        test: name of the score on test data; "" if there is none.
        unit: unit of both; "" for a pure number.
        direction: values that are better: "lower" or "higher".
        test_only: whether the searches were judged by another score, so that only the test part is this one.
    """

    val: str = VAL_ACC
    test: str = TEST_ACC
    unit: str = "fraction"
    direction: str = HIGHER
    test_only: bool = False

    @property
    def is_accuracy(self) -> bool:
        """Whether it is the accuracy, which is printed in percent."""
        return self.val == VAL_ACC

    def as_dict(self) -> dict[str, str]:
        """Name, unit and direction, as a run's configuration has them."""
        return {"name": self.val, "unit": self.unit, "direction": self.direction}

    @property
    def sign(self) -> int:
        """Factor between oriented and printed values: -1 if lower values are better, else 1."""
        return -1 if self.direction == LOWER else 1

    @property
    def factor(self) -> float:
        """Factor of drawn regrets and differences: 100, for percentage points, of accuracies; 1 of other scores."""
        return _PERCENT if self.is_accuracy else 1.0

    @property
    def points(self) -> str:
        """Unit of drawn regrets and differences."""
        return "percentage points" if self.is_accuracy else self.unit or f"of {self.bare}"

    @property
    def bare(self) -> str:
        """Name without the part of the data, e.g. "ssim"; "accuracy" of accuracies."""
        return "accuracy" if self.is_accuracy else self.val.removeprefix(VAL)

    def name(self, measure: str) -> str:
        """Name of the score on a part of the data.

        Args:
            measure: "val_acc" or "test_acc", which stand for the validation and the test part.

        Returns:
            E.g. "val_ssim"; of an accuracy the measure itself.
        """
        return (self.test if measure == TEST_ACC else self.val) or f"{TEST}{self.val}"

    def words(self, measure: str) -> str:
        """Name of the score in sentences.

        Args:
            measure: see `name`.

        Returns:
            E.g. "validation accuracy" or "val_ssim".
        """
        return _NAMES[measure] if self.is_accuracy else self.name(measure)

    def axis(self, measure: str) -> str:
        """Label of an axis, with the unit, and the direction if lower values are better.

        Args:
            measure: see `name`.

        Returns:
            E.g. "validation accuracy (fraction)" or "val_perplexity (lower is better)".
        """
        about = ", ".join(filter(None, [self.unit, "lower is better" if self.sign < 0 else ""]))
        return f"{self.words(measure)} ({about})" if about else self.words(measure)

    def heading(self, measure: str) -> str:
        """Heading of a column of a table.

        Args:
            measure: see `name`.

        Returns:
            E.g. "validation %" or "val_ssim".
        """
        if self.is_accuracy:
            return "test %" if measure == TEST_ACC else "validation %"
        return f"{self.name(measure)} ({self.unit})" if self.unit else self.name(measure)

    def text(self, oriented: float) -> str:
        """Write an oriented score for a table.

        Args:
            oriented: the value, of which higher ones are better.

        Returns:
            Percent with two decimals for accuracies, else four digits.
        """
        return self.plain(oriented * self.sign)

    def plain(self, value: float) -> str:
        """Write a score in its own direction, as `text`.

        Args:
            value: the score.

        Returns:
            The text.
        """
        return f"{_PERCENT * value:.2f}" if self.is_accuracy else f"{value + 0.0:.4g}"

    def number(self, oriented: float) -> str:
        """Write an oriented score as it is, with four decimals or digits.

        Args:
            oriented: the value.

        Returns:
            A fraction for accuracies.
        """
        return f"{oriented:.4f}" if self.is_accuracy else f"{oriented * self.sign + 0.0:.4g}"

    def apart(self, difference: float) -> str:
        """Write a difference of oriented scores with sign and unit.

        Args:
            difference: first minus second.

        Returns:
            E.g. "+1.25 points" or "-0.3 ms"; the sign is that of the printed scores.
        """
        if self.is_accuracy:
            return f"{_PERCENT * difference:+.2f} points"
        return f"{difference * self.sign + 0.0:+.3g}{' ' + self.unit if self.unit else ''}"

    def between(self, low: float, high: float) -> str:
        """Write an interval of differences of oriented scores, without the unit.

        Args:
            low: lower end.
            high: upper end.

        Returns:
            E.g. "[+0.10, +0.74]".
        """
        if self.is_accuracy:
            return f"[{_PERCENT * low:+.2f}, {_PERCENT * high:+.2f}]"
        first, last = sorted((low * self.sign + 0.0, high * self.sign + 0.0))
        return f"[{first:+.3g}, {last:+.3g}]"

    def size(self, amount: float, digits: int) -> str:
        """Write the size of a difference with its unit.

        Args:
            amount: the size, >= 0.
            digits: significant digits.

        Returns:
            E.g. "1 point", "0.4 points" or "0.3 ms".
        """
        if self.is_accuracy:
            return f"{_PERCENT * amount:.{digits}g} {'point' if amount == 0.01 else 'points'}"
        return f"{amount:.{digits}g}{' ' + self.unit if self.unit else ''}"

    def no_choice(self, scores: Any) -> float:
        """Score of a run that chose nothing.

        Args:
            scores: oriented scores of children.

        Returns:
            0 for accuracies, else the lowest of the scores; 0 without any.
        """
        if self.is_accuracy:
            return _NO_CHOICE
        known = [float(value) for value in scores if not math.isnan(value)]
        return min(known, default=_NO_CHOICE)

    @property
    def no_choice_words(self) -> str:
        """What a run that chose nothing has, in words."""
        return "accuracy 0" if self.is_accuracy else f"the worst {self.bare} of all children here"

    def shown(
        self,
        frame: pd.DataFrame,
        values: Sequence[str] = (),
        ends: Sequence[tuple[str, str]] = (),
    ) -> pd.DataFrame:
        """Turn columns of oriented scores into those that people read; nothing changes where higher ones are better.

        Args:
            frame: any table.
            values: columns of scores or differences.
            ends: pairs of columns with the lower and upper end of intervals.

        Returns:
            The table with these columns in the score's own direction.
        """
        if self.sign > 0 or frame.empty:
            return frame
        changed = {name: 0.0 - frame[name] for name in values}  # no -0.0
        for low, high in ends:
            changed |= {low: 0.0 - frame[high], high: 0.0 - frame[low]}
        return frame.assign(**changed)


ACCURACY: Final = Score()
_JUDGED_BY: ContextVar[Score] = ContextVar("judged_by", default=ACCURACY)


def judged_by() -> Score:
    """Return the score by which the runs at hand are judged; accuracy unless `judging` says otherwise."""
    return _JUDGED_BY.get()


@contextmanager
def judging(score: Score) -> Iterator[Score]:
    """Let all analyses judge by a score while the block runs.

    Args:
        score: the score.

    Yields:
        The score.
    """
    token = _JUDGED_BY.set(score)
    try:
        yield score
    finally:
        _JUDGED_BY.reset(token)
