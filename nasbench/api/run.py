"""One search in a results file, as Python sees it."""

from __future__ import annotations

import math
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nasbench.costs.spent_usd import prices_of_run, usd_spent_by
from nasbench.costs.units import LEAST_SHARE, device_time
from nasbench.errors import InputError
from nasbench.protocols.stored import config_of
from nasbench.spaces import Architecture, get_space
from nasbench.spaces.stored_choices import decode_stored
from nasbench.store.format.frames import runs_named
from nasbench.store.format.schema import LEDGER_CATEGORIES, SEARCH_CATEGORIES
from nasbench.store.query import Results

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Stage = Literal["search", "final"]


class Run:
    """A search that has been run, read from its results file.

    Data are read when they are first needed. As the last value of a notebook's cell it shows a table of its results and
    the drawing of its best architecture.

    Args:
        path: the results file.
        id: id of the run, or its first digits; None for the only run of the file.
        stop_reason: the reason for which a callback stopped it; "" if none did.

    Raises:
        InputError: when the file has no such run, or several.
        MissingResults, StoreError: when there is no such file, or it cannot be read.

    Example:
        >>> import nasbench
        >>> run = nasbench.Run("first.h5")
        >>> run.status, len(run.frame("search"))
        ('complete', 3)
        >>> run.best.space.spec
        'nasnet:blocks=1'
    """

    def __init__(self, path: str | os.PathLike[str], id: str | None = None, stop_reason: str = "") -> None:
        self.path, self.stop_reason = Path(path), stop_reason
        with Results(self.path) as results:
            runs = results.runs()
            found = runs_named(runs, id or "")
            if len(found) != 1:
                there = ", ".join(runs["run"]) or "none"
                what = f"no run {id!r}" if found.empty else f"{len(found)} runs, so that one has to be named"
                raise InputError(f"{self.path} has {what}; its runs: {there}")
            self.row: dict[str, Any] = found.to_dict("records")[0]
            frame = results.frame()
            self._frame = frame[frame["run"] == self.id].reset_index(drop=True)

    @property
    def id(self) -> str:
        """12 hexadecimal digits."""
        return str(self.row["run"])

    @property
    def status(self) -> str:
        """ "complete", "interrupted", or "running" for one that was killed or still runs."""
        return str(self.row["status"])

    @property
    def strategy(self) -> str:
        """Name of the strategy, as stored."""
        return str(self.row["strategy"])

    @property
    def seed(self) -> int:
        """Seed of the search."""
        return int(self.row["seed"])

    @cached_property
    def config(self) -> dict[str, Any]:
        """The stored configuration: space, protocol, budget, executor, ..."""
        return config_of(str(self.row["config"]), self.id)

    def frame(self, stage: Stage | None = None) -> pd.DataFrame:
        """Return the children of the run in commit order, with the columns of `Results.frame()`.

        Args:
            stage: "search" or "final"; None for both.

        Returns:
            One row per child.
        """
        return self._frame if stage is None else self._frame[self._frame["stage"] == stage].reset_index(drop=True)

    def curves(self) -> pd.DataFrame:
        """Return the learning curves of the run's children: one row per child and epoch."""
        with Results(self.path) as results:
            curves = results.all_curves()
        return curves[curves["run"] == self.id].reset_index(drop=True)

    @cached_property
    def incumbents(self) -> pd.DataFrame:
        """The children that were the best so far when they ended, in their order: rows of `frame("search")`."""
        search = self.frame("search")
        good = search[search["counted"].astype(bool) & (search["status"] == "ok")]
        before = good["val_acc"].cummax().shift(fill_value=-math.inf)
        return good[good["val_acc"] > before]

    @property
    def best(self) -> Architecture | None:
        """The architecture with the best validation accuracy; None before the first child with a score."""
        if self.incumbents.empty:
            return None
        row = self.incumbents.iloc[-1]
        return decode_stored(get_space(str(row["space"])), row["choices"])

    @property
    def val_acc(self) -> float:
        """Best validation accuracy in [0, 1]; NaN without one."""
        return math.nan if self.incumbents.empty else float(self.incumbents["val_acc"].iloc[-1])

    @property
    def test_acc(self) -> float:
        """Test accuracy of `best` in [0, 1], mean over its final trainings; NaN without one."""
        finals = self.frame("final")
        if self.incumbents.empty or finals.empty:
            return math.nan
        mine = finals[(finals["hash"] == self.incumbents["hash"].iloc[-1]) & (finals["status"] == "ok")]
        return float(mine["test_acc"].mean())

    @property
    def device_hours(self) -> float:
        """Device-hours charged to the search, without final trainings."""
        counted = self.frame("search")
        counted = counted[counted["counted"].astype(bool)]
        return float(counted["spent_gpu_hours"].max()) if len(counted) else 0.0

    def plot(self, by: Literal["gpu_hours", "children", "usd", "wall"] = "children") -> Figure:
        """Draw the best validation accuracy so far over the budget spent.

        Args:
            by: unit of the horizontal axis; children where the run does not say what it spent in that unit.

        Returns:
            The figure.
        """
        from nasbench.analysis.comparison.compare import anytime, bands, known_axis, plot_compare
        from nasbench.analysis.plotting.captions import describe_rows
        from nasbench.api.comparing import runs_frame

        runs = runs_frame(self.path)
        runs = runs[runs["run"] == self.id]
        axis, unknown = known_axis(self._frame, runs, by)
        about = describe_rows(self._frame, ("val_acc", "test_acc"))
        return plot_compare(bands(anytime(self._frame, runs, axis)), tuple(filter(None, [unknown])), about)

    def draw(self) -> Figure:
        """Draw the best architecture's cell.

        Raises:
            InputError: before the first child with a score.
        """
        from nasbench.analysis.drawings.architecture import architecture_figure

        if self.best is None:
            raise InputError(f"run {self.id} of {self.path} has no child with a score yet, so there is none to draw")
        return architecture_figure(self.best.space.structure(self.best), self.best.hash[:12])

    def _facts(self) -> dict[str, Any]:
        children = self.frame("search")
        finals = self.frame("final")
        return {
            "run": f"{self.id} in {self.path}",
            "search": f"{self.strategy} on {self.row['space']}, seed {self.seed}, protocol {self.row['protocol']}",
            "status": self.status + (f" ({self.stop_reason})" if self.stop_reason else ""),
            "budget": self.row["budget"],
            "children": f"{int(children['counted'].sum())}, and {len(finals)} final trainings",
            "best": self._best_text(),
            "spent": self._spent_text(),
        }

    def _spent_text(self) -> str:
        """What was spent on the search, and beside its budget, each in hours and USD."""
        hours = {name: float(self.row[f"{name}_hours"]) for name in LEDGER_CATEGORIES}
        hours = {name: each for name, each in hours.items() if each > 0}  # NaN of an import adds nothing
        unit = device_time(self._frame["device"].unique())
        parts = {"": sum(hours.get(name, 0.0) for name in SEARCH_CATEGORIES)}
        spent = usd_spent_by(self.frame("search"))
        of_search, beside = prices_of_run(float(self.row["usd"]), sum(hours.values()), parts[""], spent)
        parts |= {"final trainings ": hours.get("final", 0.0), "uncounted ": hours.get("uncounted", 0.0)}
        rates = {what: beside if what else of_search for what in parts}
        texts = {what: f"{what}{each:.4g} {unit}, {each * rates[what]:.4g} USD" for what, each in parts.items()}
        return "; ".join(
            text for what, text in texts.items() if not what or parts[what] > LEAST_SHARE * sum(hours.values())
        )

    def _best_text(self) -> str:
        if self.incumbents.empty:
            return "none yet"
        test = "not scored" if math.isnan(self.test_acc) else f"{self.test_acc:.4f}"
        return f"validation {self.val_acc:.4f}, test {test}, hash {self.incumbents['hash'].iloc[-1]}"

    def __repr__(self) -> str:
        children = int(self.frame("search")["counted"].sum())
        return (
            f"<Run {self.id} of {str(self.path)!r}: {self.strategy}, seed {self.seed}, {self.status}, "
            f"{children} children, best val_acc {self.val_acc:.4f}>"
        )

    def _repr_html_(self) -> str:
        from nasbench.api.html import card, drawn, facts

        return card(facts(self._facts()), drawn(self.best) if self.best is not None else "")
