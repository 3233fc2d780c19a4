"""What both adapters share: a table with its learning curves, if it has any, and its decisions as named parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError
from nasbench.tabular.catalogue import table_file
from nasbench.tabular.tables import Selection, Table, read_tables

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TableLookup:
    """A complete table whose architectures are choices of named parameters.

    Args:
        table: the table; with `curves` if it has scores after each epoch.
    """

    table: Table

    @classmethod
    def read(cls, table: str | Path | Table, data: str | None = None) -> TableLookup:
        """Read a table, with its learning curves if it has any.

        Args:
            table: a results file, an archive, the name of a table that ships (`nasbench tables`), or a table.
            data: data set of a file that has several.

        Returns:
            The table.

        Raises:
            MissingData, UnknownName, InputError, StoreError: see `tables.read_table`.
        """
        if isinstance(table, Table):
            return cls(table)
        path = table_file(str(table))
        try:
            return cls(read_tables(path, [Selection(data)], curves=True)[0])
        except InputError:  # it has no curves, or is no table: then this says so
            return cls(read_tables(path, [Selection(data)])[0])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, one per decision, such as "0:edge 1<-0"; the number makes them unique."""
        return tuple(f"{place}:{decision.name}" for place, decision in enumerate(self.table.space.decisions))

    @cached_property
    def options(self) -> tuple[int, ...]:
        """Number of options of each parameter; its values are 0 to one less."""
        return tuple(decision.options for decision in self.table.space.decisions)

    @property
    def epochs(self) -> int:
        """Epochs with a known score; 1 for a table that has only the last."""
        return 1 if self.table.curves is None else self.table.curves.epochs

    def position(self, parameters: dict[str, int]) -> int:
        """Return the position of an architecture in the table.

        Args:
            parameters: name -> option, one per decision.

        Returns:
            The position.

        Raises:
            InputError: when a parameter is missing or has no such option.
        """
        choices = []
        for name, options in zip(self.names, self.options, strict=True):
            choice = parameters.get(name)
            if choice is None or not 0 <= int(choice) < options:
                raise InputError(f"parameter {name!r} takes a whole number from 0 to {options - 1}, got {choice!r}")
            choices.append(int(choice))
        return int(self.table.code(np.array(choices)))

    @cached_property
    def scores(self) -> FloatArray:
        """Validation scores [size, epochs], as replays see them; NaN for failures, and where none was recorded."""
        table = self.table
        if table.curves is None:
            return table.val_acc[:, None]
        scores = np.where(np.isnan(table.val_acc)[:, None], np.nan, table.curves.val_acc[table.curves.kinds])
        scores[:, -1] = np.where(np.isnan(scores[:, -1]), table.val_acc, scores[:, -1])  # that of a whole training
        return scores

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """Whether all trainings of each architecture failed, [size]; other missing scores were not recorded."""
        return np.isnan(self.table.val_acc)

    @cached_property
    def seconds(self) -> FloatArray:
        """Device-seconds up to the end of each epoch, [size, epochs], of a failure those of all; NaN without costs."""
        table = self.table
        if table.curves is None:
            return table.seconds[:, None]
        seconds = table.curves.seconds[table.curves.kinds]
        return np.where(self.failed[:, None] & np.isnan(seconds), table.seconds[:, None], seconds)
