"""How a result with a table, notes and a figure shows itself in a terminal and in a notebook, and is saved."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PathLike = str | os.PathLike[str]


class Presented(ABC):
    """Base class of results that are a table, notes and a figure."""

    notes: tuple[str, ...]

    @property
    @abstractmethod
    def figure(self) -> Figure:
        """The figure."""

    @abstractmethod
    def _shown(self) -> pd.DataFrame:
        """Table for people."""

    @abstractmethod
    def _drawn(self) -> pd.DataFrame:
        """Data behind the figure, one row per mark."""

    def save(self, stem: PathLike, force: bool = False) -> list[Path]:
        """Write the figure, its data as CSV and its caption as text.

        Args:
            stem: a picture that ends in .png, .svg or .pdf; or a path without ending, for a PNG and an SVG. Missing
                folders are made.
            force: replace also files that are no earlier pictures, tables and captions of this plot; a results file
                never is.

        Returns:
            The paths, pictures first.
        """
        from nasbench.analysis.plotting.saving import save
        from nasbench.outputs import output_rules

        with output_rules((), force):
            return save(self.figure, Path(stem), self._drawn())

    def __repr__(self) -> str:
        return "\n".join([self._shown().to_string(index=False), *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        from nasbench.api.html import card, figure_html, frame_html, notes_html

        return card(frame_html(self._shown()), notes_html(self.notes), figure_html(self.figure))
