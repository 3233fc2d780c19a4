"""A complete table as the objective of an Optuna study."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasbench.adapters.table_lookup import TableLookup
from nasbench.errors import MissingExtra
from nasbench.spaces.base import Architecture
from nasbench.tabular.tables import Table

if TYPE_CHECKING:
    from optuna.trial import Trial


class TableObjective:
    """Objective of a study that maximizes the validation score of a table's architectures.

    Each decision of the space is a categorical parameter. A call reports the score after each epoch, so that Optuna's
    pruners work, and stores the device-seconds that the trial costs as the user attribute "device_seconds": those up to
    the last reported epoch. A failed training has the score 0, as in searches of this suite, and in a table that is judged by
    another score than accuracy the worst of all there are; an epoch whose score was not
    recorded is not reported.

    Args:
        table: a results file, an archive, the name of a table that ships, or a table.
        data: data set of a file that has several.

    Raises:
        MissingData, UnknownName, InputError, StoreError: see `tables.read_table`.

    Example:
        study = optuna.create_study(direction="maximize")
        study.optimize(TableObjective("digits201"), n_trials=100)
        seconds = sum(trial.user_attrs["device_seconds"] for trial in study.trials)
    """

    def __init__(self, table: str | Path | Table, data: str | None = None) -> None:
        self.lookup = TableLookup.read(table, data)
        self._failed = self.lookup.table.score.no_choice(self.lookup.scores.ravel().tolist())

    def __call__(self, trial: Trial) -> float:
        """Score the architecture that a trial suggests.

        Args:
            trial: the trial.

        Returns:
            Validation score after the last epoch.

        Raises:
            optuna.TrialPruned: when the study's pruner stops the trial at an epoch.
        """
        lookup = self.lookup
        parameters: dict[str, Any] = {
            name: trial.suggest_categorical(name, range(options)) for name, options in zip(lookup.names, lookup.options)
        }
        position = lookup.position(parameters)
        scores, seconds = lookup.scores[position].tolist(), lookup.seconds[position].tolist()
        for epoch, score in enumerate(scores, start=1):
            if math.isnan(score) and not lookup.failed[position]:
                continue
            trial.set_user_attr("device_seconds", seconds[epoch - 1])
            if len(scores) > 1:
                trial.report(self._told(score), epoch)
                if epoch < len(scores) and trial.should_prune():
                    raise _pruned()
        return self._told(scores[-1])

    def _told(self, score: float) -> float:
        return self._failed if math.isnan(score) else score

    def architecture(self, parameters: dict[str, int]) -> Architecture:
        """Return the architecture of a trial's parameters.

        Args:
            parameters: `trial.params`.

        Returns:
            The architecture.

        Raises:
            InputError: when a parameter is missing or has no such option.
        """
        return self.lookup.table.architecture(self.lookup.position(parameters))

    def test_acc(self, parameters: dict[str, int]) -> float:
        """Return the test score of a trial's parameters, for the report after the search.

        Args:
            parameters: `trial.params`, e.g. `study.best_params`.

        Returns:
            The score; NaN if the table has none.

        Raises:
            InputError: when a parameter is missing or has no such option.
        """
        return float(self.lookup.table.test_acc[self.lookup.position(parameters)])


def _pruned() -> Exception:
    try:
        from optuna import TrialPruned
    except ImportError:
        raise MissingExtra("optuna", "optuna") from None
    return TrialPruned()
