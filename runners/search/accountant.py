"""Accounts of one search: searcher seconds, wall time, charges to the ledger, and the incumbents."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nasbench.runners.search.budget import SECONDS_PER_HOUR, Ledger
from nasbench.runners.search.rows import EarlierAttempts, Proposal, price_of_row
from nasbench.store.format.schema import REPEATABLE_STATUSES


class Accountant:
    """Measures the spending of a search and decides which children count, both for new children and for stored rows.

    Args:
        ledger: ledger of the run.
        share: part of a device that one child holds, in (0, 1]; searcher time is charged by it, too.
        searcher_category: ledger category to which the strategy's own seconds are charged.
        earlier: what earlier attempts spent beyond their rows, and at which price; None for a new run.

    Attributes:
        without_row: device-seconds of all attempts that no row holds, see `charge_without_row`.
        usd_without_row: their USD.
    """

    def __init__(
        self, ledger: Ledger, share: float, searcher_category: str, earlier: EarlierAttempts | None = None
    ) -> None:
        earlier = earlier if earlier is not None else EarlierAttempts()
        self.ledger = ledger
        self.without_row = self.usd_without_row = 0.0
        self.charge_without_row(earlier.without_row, earlier.usd_per_hour_without_row)
        self._usd_per_hour = earlier.usd_per_hour  # of a stored row that does not say its price; None for the ledger's
        self.best: Mapping[str, Any] | None = None
        self.incumbents: list[Proposal] = []
        self._share, self._searcher_category = share, searcher_category
        self._searcher_seconds = 0.0
        self._wall_before = 0.0
        self._opened = time.monotonic()

    @contextmanager
    def searcher(self) -> Iterator[None]:
        """Measure the block as the strategy's own time, which is stored in the next child's row.

        A block that Ctrl-C ends counts, too: its seconds are in no row, and `close` charges them.
        """
        began = time.perf_counter()
        try:
            yield
        finally:
            self._searcher_seconds += time.perf_counter() - began

    def take_searcher_seconds(self) -> float:
        """Return the searcher's seconds since the last row, and reset them."""
        seconds, self._searcher_seconds = self._searcher_seconds, 0.0
        return seconds

    def wall_seconds(self) -> float:
        """Wall time of the run, over all attempts."""
        return self._wall_before + time.monotonic() - self._opened

    def device_seconds(self, charged: float, searcher_seconds: float) -> float:
        """Device-seconds that a child and the searcher's work for it add to the budget.

        Args:
            charged: device-seconds of the child.
            searcher_seconds: wall seconds of the searcher, which holds this run's share of a device during that time.

        Returns:
            Device-seconds, >= 0.
        """
        return charged + searcher_seconds * self._share

    def counts(self, charged: float, searcher_seconds: float) -> bool:
        """Update the wall time, and check whether a child that has just ended is within the budget.

        Args:
            charged: device-seconds of the child, >= 0.
            searcher_seconds: wall seconds of the searcher's work for it, >= 0.

        Returns:
            True if everything spent, including this child, is within the limit.
        """
        self.ledger.wall_seconds = self.wall_seconds()
        return self.ledger.fits(self.device_seconds(charged, searcher_seconds))

    def enter(self, proposal: Proposal, row: Mapping[str, Any]) -> None:
        """Charge a counted child, and make it the incumbent if its score is higher than all earlier ones.

        Args:
            proposal: the proposal.
            row: its stored columns.
        """
        self.charge_counted(row)
        if self.is_better(row):
            self.best = row
            if not any(same_training(each, proposal) for each in self.incumbents):
                self.incumbents.append(proposal)

    def charge_counted(self, row: Mapping[str, Any]) -> None:
        """Charge a counted child, and the searcher's work for it.

        Args:
            row: its stored columns.
        """
        charged, price = row["gpu_hours"] * SECONDS_PER_HOUR, self._price_of(row)
        self.ledger.charge(self._searcher_category, self._searcher_charge(row, charged), price)
        if row["cached_from"]:
            self.ledger.charge("cached", charged, price)
        elif row["status"] not in REPEATABLE_STATUSES:
            self.ledger.charge("failed", charged, price)
        else:
            held = row["device_seconds"]
            share = charged / held if row["continues"] and held > 0 else 1.0  # the rest repeats epochs, see below
            evaluating = row["eval_seconds"] * row["devices"] * share
            self.ledger.charge("evaluation", evaluating, price)
            self.ledger.charge("training", charged - evaluating, price)
        if row["continues"] and not row["cached_from"]:
            # Epochs that an earlier child was charged for, trained again because their checkpoint was gone.
            self.ledger.charge("uncounted", max(row["device_seconds"] - charged, 0.0), price)
        self.ledger.children += 1

    def _searcher_charge(self, row: Mapping[str, Any], charged: float) -> float:
        """Device-seconds that the searcher's work for a counted child was charged.

        An earlier attempt may have held another share of a device. The row says which: what was spent with this child is
        what was spent before, the child and the searcher. The child's own share does not say it: one from the cache may
        have been trained with another.
        """
        ours = float(row["searcher_seconds"] * self._share)
        spent = row["spent_gpu_hours"] * SECONDS_PER_HOUR
        noted = float(spent - self.ledger.search_seconds - charged)
        rounding = 1e-9 * max(spent, 1.0)
        return noted if noted >= 0 and abs(noted - ours) > rounding else ours  # NaN, of no row of ours, is neither

    def enter_uncounted(self, row: Mapping[str, Any]) -> None:
        """Charge a child that the budget did not cover, and the searcher's work for it, to the category "uncounted".

        Args:
            row: its stored columns. A score from the cache held no device, so only the searcher's work is charged;
                rows of earlier versions have its price in `gpu_hours`.
        """
        seconds = row["device_seconds"] if row["continues"] else row["gpu_hours"] * SECONDS_PER_HOUR
        held, share = (0.0, self._share) if row["cached_from"] else (seconds, row["devices"])
        self.ledger.charge("uncounted", held + row["searcher_seconds"] * share, self._price_of(row))

    def _price_of(self, row: Mapping[str, Any]) -> float | None:
        """USD per hour at which a child was charged; None for the ledger's price.

        In files of schemas before 6, a row that was charged no hours does not say it. It is taken to have the price of the
        row before it, of the same attempt or the one before; the first ones have the average of the stored run.
        """
        if (price := price_of_row(row)) is not None:
            self._usd_per_hour = price
        return self._usd_per_hour

    def charge_stored(self, row: Mapping[str, Any]) -> None:
        """Charge a stored row of an earlier attempt, whichever it is.

        Args:
            row: its stored columns.
        """
        if row["stage"] == "final":
            self.charge_stored_final(row)
        elif row["counted"]:
            self.charge_counted(row)
        else:
            self.enter_uncounted(row)

    def charge_stored_final(self, row: Mapping[str, Any]) -> None:
        """Charge a final training of an earlier attempt.

        Args:
            row: its stored columns.
        """
        self.ledger.charge("final", row["gpu_hours"] * SECONDS_PER_HOUR, price_of_row(row))

    def charge_without_row(self, device_seconds: float, usd_per_hour: float | None = None) -> None:
        """Charge device-seconds that no row holds to the category "uncounted", and add them to `without_row`.

        Args:
            device_seconds: device-seconds, >= 0.
            usd_per_hour: price at which an earlier attempt was charged for them; None for that of the ledger.
        """
        self.without_row += device_seconds
        price = self.ledger.usd_per_hour if usd_per_hour is None else usd_per_hour
        self.usd_without_row += device_seconds / SECONDS_PER_HOUR * price
        self.ledger.charge("uncounted", device_seconds, usd_per_hour)

    def close(self) -> None:
        """Charge the searcher's seconds after the last child as uncounted, when the search ends or stops."""
        self.charge_without_row(self.device_seconds(0.0, self.take_searcher_seconds()))

    def restore_wall(self, seconds: float) -> None:
        """Set the wall time to that of earlier attempts.

        Args:
            seconds: wall time at which a stored row was written, or of all earlier attempts, >= 0.
        """
        self.ledger.wall_seconds = self._wall_before = seconds

    def restored(self, rows: int) -> None:
        """Start measuring after the stored rows were processed.

        With stored rows, the searcher's seconds until then repeat work that is charged already: they are beside the
        budget. Without any, they are the making of the strategy, which the first child's row will hold.

        Args:
            rows: number of stored rows of the search, >= 0.
        """
        self._usd_per_hour = None
        if rows:
            self.close()
        self._opened = time.monotonic()

    def is_better(self, row: Mapping[str, Any]) -> bool:
        """Check whether a counted child would become the incumbent.

        Args:
            row: columns "status" and "val_acc" of the child.

        Returns:
            True if it has a score above that of the incumbent, or is the first with a score.
        """
        return bool(row["status"] == "ok" and (self.best is None or row["val_acc"] > self.best["val_acc"]))

    def best_text(self) -> str:
        """Text with the best score so far and its hash."""
        return f"{self.best['val_acc']:.4f} ({self.best['hash'][:8]})" if self.best is not None else "none yet"


def same_training(one: Proposal, other: Proposal) -> bool:
    """Check whether two proposals are of one training, up to the same epoch or different ones.

    Args:
        one: a proposal.
        other: another one of the same run.

    Returns:
        True if hash and training seed are equal.
    """
    return one.seed == other.seed and one.architecture.hash == other.architecture.hash
