"""Complete tables: score and cost of every architecture of a space, as arrays. No torch."""

from __future__ import annotations

import hashlib
import io
import json
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InputError, MissingData, UnknownName, did_you_mean
from nasbench.scores import ACCURACY, TEST_ACC, VAL_ACC, Score
from nasbench.spaces import get_space
from nasbench.spaces.base import Architecture, Space
from nasbench.spaces.constrained import parse_limits
from nasbench.store.format.frames import begins_at_the_start, from_the_start, whole_trainings
from nasbench.store.judged import judge
from nasbench.structures import Counts
from nasbench.tabular.nasbench201_networks import table_counts
from nasbench.tabular.table_curves import TableCurves, curves_of, epochs_text
from nasbench.tabular.trainings import MEAN_SEED, OutcomeFrom, Trainings, each_once, trainings_of

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.store.query import Results

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

LARGEST = 10_000_000  # sequences of choices; a larger space has no complete table in memory
UNKNOWN_COUNT = -1
_PERCENT = 100.0

# Data set -> arrays of the archive: validation accuracy (the outcome), cost in seconds, reported test accuracy.
# Source: NAS-Bench-201 (2001.00326), section 5; the archive's own notes.
NASBENCH201_COLUMNS = {
    "cifar10": ("c10_valid_acc_12", "sim_cost_12_c10_s", "c10_test_acc_200"),
    "cifar100": ("c100_valid_acc_12", "sim_cost_12_c100_s", "c100_test_acc_200"),
    "imagenet16-120": ("in16_valid_acc_12", "sim_cost_12_in16_s", "in16_test_acc_200"),
}


@dataclass(frozen=True)
class Selection:
    """Selection of a file's children that make a table.

    Args:
        data: data set. Of the NAS-Bench-201 archive: "cifar10" (default), "cifar100" or "imagenet16-120". Of a results
            file: one of its data sets; None if it has only one.
        seeds: training seeds whose children are used; None for all. Searching with some seeds and reporting with others
            keeps the luck of the searched trainings out of the reported score.
        score: what architectures are judged by: "val_acc" for what the file states, which is accuracy usually; "val_loss",
            or a measured quantity. See `judged.judge`.
    """

    data: str | None = None
    seeds: tuple[int, ...] | None = None
    score: str = VAL_ACC


class TableRow(NamedTuple):
    """What a table holds of one architecture.

    Attributes:
        val_acc: the outcome that a search receives, in [0, 1]; NaN for a child that failed.
        test_acc: score that is reported, in [0, 1]; NaN if unknown.
        seconds: device-seconds of a child; NaN in a table without costs.
        params: trainable parameters, -1 if unknown.
        mult_adds: multiply-adds for one image, -1 if unknown.
    """

    val_acc: float
    test_acc: float
    seconds: float
    params: int
    mult_adds: int


@dataclass(frozen=True, eq=False)
class Table:
    """Scores and costs of all architectures of a space.

    Position i of every column belongs to the i-th sequence of choices in lexicographic order (last decision fastest).
    `code` computes the position.

    Args:
        name: name of the data set, e.g. "cifar10".
        space: space of the architectures; at most 10,000,000 sequences of choices.
        val_acc: [size], the outcome that a search is judged by, an accuracy in [0, 1], or the oriented score (`Score`);
            NaN for a child that failed.
        test_acc: [size], reported for the architecture that a search chose, likewise; NaN if unknown.
        seconds: [size], device-seconds that a child costs, >= 0; all NaN in a table without costs.
        params: [size], trainable parameters, -1 where they are unknown.
        mult_adds: [size], multiply-adds for one image, -1 where they are unknown.
        trainings: the trainings averaged in `val_acc`; None if the table holds means only.
        seeds: training seeds that were chosen from those in the file; None for all.
        score: what architectures are judged by.
        measured: quantity -> [size], measured values that a search may have as objectives, see `with_measured`; NaN where
            an architecture was not measured.
        curves: score and cost after each epoch; None if they were not read, or are unknown.

    Raises:
        InputError: when a column has another length, or no child has a score.
    """

    name: str
    space: Space
    val_acc: FloatArray
    test_acc: FloatArray
    seconds: FloatArray
    params: IntArray
    mult_adds: IntArray
    trainings: Trainings | None = None
    seeds: tuple[int, ...] | None = None
    score: Score = ACCURACY
    measured: Mapping[str, FloatArray] = field(default_factory=dict)
    curves: TableCurves | None = None

    def __post_init__(self) -> None:
        for column in ("val_acc", "test_acc", "seconds", "params", "mult_adds"):
            length = len(getattr(self, column))
            if length != self.space.size:
                raise InputError(
                    f"column {column!r} of table {self.name!r} has {length} rows; space {self.space.spec!r} takes "
                    f"{self.space.size}"
                )
        if not np.isfinite(self.val_acc).any():
            raise InputError(f"no architecture of table {self.name!r} has a {self.score.words(VAL_ACC)}")
        if self.timed and not (self.seconds >= 0).all():
            raise InputError(
                f"table {self.name!r} has a cost that is negative or missing; every child needs one, or none has one"
            )

    @property
    def what(self) -> str:
        """ "table", or "surrogate" where values are predictions: what outputs call it."""
        return "table"

    @cached_property
    def timed(self) -> bool:
        """Whether the table has costs; without them, the budget of a search is a number of children."""
        return not bool(np.isnan(self.seconds).all())

    @cached_property
    def free(self) -> bool:
        """Whether all costs are 0, so that a budget in time or money never ends."""
        return self.timed and not bool((self.seconds > 0).any())

    @cached_property
    def has_test_scores(self) -> bool:
        """Whether any architecture has a test accuracy."""
        return bool(np.isfinite(self.test_acc).any())

    @cached_property
    def reported_acc(self) -> FloatArray:
        """Accuracies by which choices are compared, [size]: those on the test set, or on the validation set without any."""
        return self.test_acc if self.has_test_scores else self.val_acc

    @cached_property
    def place_values(self) -> IntArray:
        """Change of the position in the table if one decision's choice grows by 1: ints [decisions]."""
        options = [decision.options for decision in self.space.decisions]
        return np.array([math.prod(options[index + 1 :]) for index in range(len(options))], dtype=np.int64)

    def code(self, choices: IntArray) -> IntArray:
        """Compute the positions of architectures in the table.

        Args:
            choices: ints [..., decisions].

        Returns:
            Ints [...], in [0, size).
        """
        codes: IntArray = choices @ self.place_values
        return codes

    def position(self, choices: Sequence[int]) -> int:
        """Compute the position of one architecture in the table; `code` computes many at once.

        Args:
            choices: one choice per decision, each in the range of its decision.

        Returns:
            A position in [0, size).
        """
        return sum(map(operator.mul, choices, self._places))

    def counts_of(self, architecture: Architecture) -> Counts:
        """Return the counts of an architecture.

        Args:
            architecture: an architecture of the table's space.

        Returns:
            Parameters and multiply-adds, -1 where they are unknown.
        """
        place = self.position(architecture.choices)
        return Counts(params=int(self.params[place]), mult_adds=int(self.mult_adds[place]))

    def check_counts(self, names: Sequence[str]) -> None:
        """Check that limits on architectures can be judged.

        Args:
            names: the counts that they name.

        Raises:
            InputError: when the table lacks one of them, of any architecture.
        """
        for name in names:
            if (getattr(self, name) <= 0).any():
                raise InputError(
                    f"table {self.name!r} does not hold {name} of every architecture; leave it out of the limits"
                )

    def row(self, choices: Sequence[int]) -> TableRow:
        """Return what the table holds of one architecture. The first call lists all rows; the next take a microsecond.

        Args:
            choices: one choice per decision, each in the range of its decision.

        Returns:
            Scores, costs and counts.
        """
        return self._rows[self.position(choices)]

    @cached_property
    def _places(self) -> list[int]:
        return [int(place) for place in self.place_values]

    @cached_property
    def _rows(self) -> list[TableRow]:
        columns = (self.val_acc, self.test_acc, self.seconds, self.params, self.mult_adds)
        return list(map(TableRow._make, zip(*(column.tolist() for column in columns))))

    def architecture(self, code: int) -> Architecture:
        """Return the architecture at a position.

        Args:
            code: position in the table, in [0, size).

        Returns:
            The architecture.
        """
        choices = []
        for place, decision in zip(self.place_values.tolist(), self.space.decisions):
            choices.append(code // place % decision.options)
        return self.space.decode(choices)

    def fitting(self, where_arch: str) -> NDArray[np.bool_]:
        """Mark the architectures that satisfy limits on their counts.

        Args:
            where_arch: a condition, as `constrained.parse_limits` reads it; "" for none.

        Returns:
            Bools, [size]; all are true without limits. An architecture whose count is unknown satisfies no limit on it.

        Raises:
            InputError: when the text is no condition on counts.
        """
        if not where_arch:
            return np.ones(len(self.params), dtype=bool)
        limits = parse_limits(where_arch)
        counts = {"params": self.params, "mult_adds": self.mult_adds}
        fits: NDArray[np.bool_] = limits.evaluate(counts)
        unknown = [counts[name] == UNKNOWN_COUNT for name in limits.names if name in counts]
        return fits & ~np.any(unknown, axis=0) if unknown else fits

    def check_outcome_from(self, outcome_from: OutcomeFrom) -> None:
        """Check that a table can give outcomes of single trainings, if they are wanted.

        Args:
            outcome_from: "mean" or "one", see `outcomes`.

        Raises:
            InputError: for "one" if no architecture of the table has several trainings.
        """
        if outcome_from == "mean" or (self.trainings is not None and self.trainings.several):
            return
        what = "means only" if self.trainings is None else "one training of each architecture"
        raise InputError(
            f"table {self.name!r} of {self.space.spec!r} holds {what}, so that no training can be drawn; leave "
            "--draw out"
        )

    def children_of(self, limit: float, unit: str, devices: int = 1) -> float | None:
        """Estimate how many children a budget pays for, by the mean cost of an architecture.

        Args:
            limit: amount of the budget, > 0.
            unit: its unit, see `budget.Budget`.
            devices: children in training at once, >= 1: a budget of wall time pays for so many times as many.

        Returns:
            The number; None for a budget in USD, and for a table without costs or whose costs are all 0.
        """
        if unit == "children":
            return limit
        if not self.timed or self.free or unit == "usd":
            return None
        return limit * (devices if unit == "wall_seconds" else 1) / float(self.seconds.mean())

    def with_measured(self, names: Sequence[str], measurements: pd.DataFrame) -> Table:
        """Return the table with measured quantities, by the hashes of its architectures.

        Args:
            names: the quantities, as `store.measured.choose` reads them, e.g. "latency[method=eager]".
            measurements: rows with the columns of `schema.MEASUREMENT_COLUMNS`.

        Returns:
            The table; this one for no names. Quantities whose higher values are better are negated.

        Raises:
            InputError: when a quantity was not measured, or in several ways.
        """
        from nasbench.store.format.quantities import COURSE
        from nasbench.store.measured import HIGHER, Wanted, choose

        if not names:
            return self
        quantities = [each for each in sorted(set(measurements["quantity"].astype(str))) if not each.endswith(COURSE)]
        for name in names:
            if Wanted.parse(name).quantity not in quantities:
                raise self.no_objective(name, quantities)
        hashes = [self.architecture(code).hash for code in range(self.space.size)]
        columns = dict(self.measured)
        for name in names:
            chosen = choose(measurements, name)
            values = chosen.values.reindex(hashes).to_numpy(dtype=float)
            columns[name] = -values if chosen.direction == HIGHER else values
        return replace(self, measured=columns)

    def check_measured(self, names: Sequence[str]) -> None:
        """Check that objectives of a search were measured of every architecture.

        Args:
            names: the measured quantities.

        Raises:
            InputError: when the table lacks one of them, or its value of some architectures.
        """
        for name in names:
            if name not in self.measured:
                raise self.no_objective(name, self.measured)
            known = np.isfinite(self.measured[name])
            if not known.all():
                raise InputError(
                    f"table {self.name!r} has {name} of {int(known.sum()):,} of {len(known):,} architectures; a search takes "
                    "objectives that are known of all: measure them (nasbench latency), and name the file by --measurements"
                )

    def no_objective(self, name: str, quantities: Iterable[str] = ()) -> InputError:
        """Make the error for an objective that neither the table nor its measurements have.

        Args:
            name: the objective, with conditions or without.
            quantities: the measured quantities that there are.

        Returns:
            The error, to be raised; it lists the allowed objectives.
        """
        allowed = ["error", *(each for each in Counts._fields if not (getattr(self, each) <= 0).any()), *quantities]
        return InputError(
            f"table {self.name!r} has no objective {name!r}{did_you_mean(name, allowed)}; allowed: {', '.join(allowed)}"
            f"{self.other_objectives}"
        )

    @property
    def other_objectives(self) -> str:
        """What an error adds to the allowed objectives: where others come from."""
        return ", and quantities measured of all architectures, in the file of --measurements (nasbench latency measures one)"

    def check_budget_unit(self, unit: str) -> None:
        """Check that searches of the table can spend a budget of a unit.

        Args:
            unit: unit of the budget, e.g. "children".

        Raises:
            InputError: when the table has no costs, or all are 0, and the unit is not "children".
        """
        if unit != "children" and (not self.timed or self.free):
            lacks = "says that every child costs 0 s" if self.free else "does not say what a child costs"
            raise InputError(
                f'table {self.name!r} of {self.space.spec!r} {lacks}; give a budget in children, e.g. "100 children"'
            )

    def check_devices(self, devices: int) -> None:
        """Check that children of searches can be in training side by side.

        Args:
            devices: children in training at once.

        Raises:
            InputError: when the table has no costs, which decide the order in which children end, and devices are several.
        """
        if devices > 1 and not self.timed:
            raise InputError(
                f"table {self.name!r} of {self.space.spec!r} does not say what a child costs, so that the order in which "
                f"{devices} children at once end is not known; leave --children-at-once out"
            )

    @cached_property
    def unrecorded(self) -> IntArray:
        """Epochs after which the score, or in a table with costs the cost, of some training that ended well is not known."""
        curves = self.curves
        if curves is None:
            return np.zeros(0, dtype=np.int64)
        ended = np.zeros(len(curves.val_acc), dtype=bool)
        ended[curves.kinds] = np.isfinite(self.val_acc)
        known = [curves.val_acc[ended], *([curves.seconds[ended]] if self.timed else [])]
        if curves.single is not None and self.trainings is not None:
            known.append(curves.single[np.isfinite(self.trainings.val_acc)])
        return 1 + np.flatnonzero(np.any([np.isnan(each).any(axis=0) for each in known], axis=0))

    def check_epochs(self, strategy: str) -> None:
        """Check that a strategy that stops trainings early can search the table.

        Args:
            strategy: its name.

        Raises:
            InputError: when the table has no curves, or lacks values of them.
        """
        if self.curves is None:
            raise InputError(
                f"strategy {strategy!r} stops trainings early, but table {self.name!r} of {self.space.spec!r} has "
                "scores of whole trainings only; choose another strategy, e.g. evolution"
            )
        if len(self.unrecorded):
            raise InputError(
                f"strategy {strategy!r} stops trainings early, but table {self.name!r} of {self.space.spec!r} lacks scores "
                f"or costs of some trainings after epoch {epochs_text(self.unrecorded)}, where they were not recorded; choose "
                "a strategy of whole trainings, e.g. evolution"
            )

    def outcomes(
        self, codes: IntArray, runs: IntArray, outcome_from: OutcomeFrom, stops: IntArray | None = None
    ) -> FloatArray:
        """Return the validation accuracies that searches receive as outcomes.

        Args:
            codes: ints of any shape, positions in the table.
            runs: ints, search seeds, each >= 0; broadcast against `codes`.
            outcome_from: "mean" for the mean over the architecture's trainings, "one" for one training, picked by
                `Trainings.picked`.
            stops: ints of the shape of `codes`, epochs at which trainings stopped, 0 for whole ones; None if all are.

        Returns:
            Accuracies in [0, 1], NaN for a child that failed. Their shape is that of `codes` for "mean", and that of
            `codes` and `runs` broadcast together for "one".
        """
        cut = stops is not None and self.curves is not None and bool(np.any(stops))
        if outcome_from == "mean" or self.trainings is None:
            if not cut:
                return self.val_acc[codes]
            assert stops is not None
            assert self.curves is not None
            return np.where(stops, self.curves.val_acc[self.curves.kinds[codes], stops - 1], self.val_acc[codes])
        picked = self.trainings.picked(codes, runs)
        if not cut:
            return self.trainings.val_acc[picked]
        assert stops is not None
        assert self.curves is not None
        assert self.curves.single is not None
        return np.where(stops, self.curves.single[picked, stops - 1], self.trainings.val_acc[picked])

    @cached_property
    def _range(self) -> tuple[float, float]:
        """Lowest and highest mean over trainings."""
        return _range_of(self.val_acc)

    @cached_property
    def _range_of_one(self) -> tuple[float, float]:
        """Lowest and highest outcome of a single training."""
        return self._range if self.trainings is None else _range_of(self.trainings.val_acc)

    def rewards(self, outcomes: FloatArray, outcome_from: OutcomeFrom = "mean") -> FloatArray:
        """Convert outcomes to what strategies receive: numbers in [0, 1], of which higher ones are better.

        Args:
            outcomes: result of `outcomes`.
            outcome_from: what they are of, as for `outcomes`: single trainings are worse and better than all means.

        Returns:
            Accuracies as they are. Other scores as their place between the table's worst (0) and best (1), because the
            steps of strategies that learn by gradients are made for accuracies. Failures are 0.
        """
        if self.score.is_accuracy:
            return np.nan_to_num(outcomes, nan=0.0)
        low, high = self._range if outcome_from == "mean" else self._range_of_one
        places = (outcomes - low) / ((high - low) or 1.0)
        return np.nan_to_num(np.clip(places, 0.0, 1.0), nan=0.0)

    def reward(self, outcome: float, outcome_from: OutcomeFrom = "mean") -> float:
        """Convert one outcome; see `rewards`.

        Args:
            outcome: one number of the result of `outcomes`.
            outcome_from: see `rewards`.

        Returns:
            A number in [0, 1].
        """
        if self.score.is_accuracy:
            return 0.0 if math.isnan(outcome) else outcome
        return float(self.rewards(np.array(outcome), outcome_from))

    @property
    def reported_measure(self) -> str:
        """ "test_acc" if choices are compared by their test score, "val_acc" if there is none."""
        return TEST_ACC if self.has_test_scores else VAL_ACC

    @property
    def protocol(self) -> str:
        """Name in place of a protocol's, e.g. "table cifar10", because tables do not say how children were trained."""
        return f"table {self.name}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of name, space and all columns, 16 hexadecimal digits."""
        digest = hashlib.blake2b(f"{self.name}|{self.space.spec}".encode(), digest_size=8)
        for column in (self.val_acc, self.test_acc, self.seconds, self.params, self.mult_adds):
            digest.update(np.ascontiguousarray(column).tobytes())
        if not self.score.is_accuracy:
            digest.update(json.dumps(self.score.as_dict(), sort_keys=True).encode())
        return digest.hexdigest()

    @cached_property
    def best_test_acc(self) -> float:
        """Highest reported (oriented) score in the table: on the test set, or on the validation set without any."""
        return float(np.nanmax(self.reported_acc))


def read_table(
    path: str | Path, data: str | None = None, seeds: tuple[int, ...] | None = None, score: str = VAL_ACC
) -> Table:
    """Read a complete table.

    Args:
        path: the NAS-Bench-201 archive (.npz), a compact table (.npz, see `compact`), or a results file whose children
            cover their space.
        data: see `Selection`.
        seeds: see `Selection`.
        score: see `Selection`.

    Returns:
        The table.

    Raises:
        MissingData: when the file does not exist.
        UnknownName: when it has no such data set.
        InputError: when it is not a table of the data set, lacks one of the seeds, or its rows do not cover the space.
        StoreError: when a results file cannot be read (`CorruptResults`, `NewerSchema` and `OlderSchema` among others).
    """
    return read_tables(path, [Selection(data, seeds, score)])[0]


def read_tables(
    path: str | Path, selections: Sequence[Selection], curves: bool = False, surrogates: bool = False
) -> list[Table]:
    """Read several tables from one file. The file is read once, and equal selections give the same object.

    Args:
        path: see `read_table`.
        selections: selections of children, one per table.
        curves: whether to read scores and costs after each epoch, too.
        surrogates: whether the file may be a surrogate, whose tables list no architectures (`surrogates.table`).

    Returns:
        One table per selection, in their order.

    Raises:
        MissingData, UnknownName, InputError, StoreError: see `read_table`. InputError also when curves are wanted and
            there are none.
    """
    path = Path(path)
    if not path.exists():
        raise MissingData(f"there is no table {str(path)!r}: give the NAS-Bench-201 archive (.npz) or a results file")
    found: dict[Selection, Table] = {}
    if path.suffix == ".npz":
        from nasbench.tabular.compact import is_compact, read_compact

        if is_compact(path):
            return read_compact(path, selections, curves)
        if curves:
            raise InputError(
                f"{path} has no scores after each epoch; choose a strategy of whole trainings, e.g. random"
            )
        for each in dict.fromkeys(selections):
            if each.seeds is not None:
                raise InputError(f"{path} holds means over seeds, so that no seeds can be chosen; leave the seeds out")
            if each.score not in (VAL_ACC, TEST_ACC):
                raise InputError(f"{path} holds accuracies, and no {each.score!r}; leave --score out")
            found[each] = read_nasbench201(path, each.data or "cifar10")
    elif _is_surrogate(path):
        found = _surrogate(path, selections, curves, surrogates)
    else:
        from nasbench.store.query import Results

        with Results(str(path)) as results:
            frame, runs, measurements = results.frame(), results.runs(), results.measurements()
            for each in dict.fromkeys(selections):
                rows = _of_seeds(_of_data(frame, each.data, path), each.seeds, path)
                rows, score = judge(rows, runs[runs["run"].isin(set(rows["run"]))], measurements, each.score)
                table = replace(table_of_children(rows, str(path), score), seeds=each.seeds)
                found[each] = _with_curves(table, results, rows, str(path)) if curves else table
    return [found[each] for each in selections]


def _is_surrogate(path: Path) -> bool:
    from nasbench.tabular.surrogates.files import is_surrogate

    return is_surrogate(path)


def _surrogate(path: Path, selections: Sequence[Selection], curves: bool, allowed: bool) -> dict[Selection, Table]:
    """Open a surrogate in place of a table, and refuse selections of what it does not have."""
    from nasbench.tabular.surrogates.files import read_surrogate
    from nasbench.tabular.surrogates.table import SurrogateTable

    if not allowed:
        raise InputError(
            f"{path} is a surrogate, which predicts scores and lists no architectures; nasbench replay --table searches it, "
            "nasbench surrogate show prints how well it predicts"
        )
    surrogate = read_surrogate(path)
    if curves:
        raise InputError(f"{path} predicts scores of whole trainings only; choose such a strategy, e.g. evolution")
    for each in selections:
        if each.data not in (None, surrogate.about.data):
            raise UnknownName(f"data set of surrogate {path}", str(each.data), [surrogate.about.data])
        if each.seeds is not None:
            raise InputError(f"{path} is a surrogate, which has no training seeds to choose from; leave the seeds out")
        if each.score != VAL_ACC:
            raise InputError(f"{path} predicts validation accuracies, and no {each.score!r}; leave --score out")
    return dict.fromkeys(selections, SurrogateTable(surrogate))


def _of_data(frame: pd.DataFrame, data: str | None, path: Path) -> pd.DataFrame:
    """Select the rows of one data set; all rows if `data` is None and there is only one."""
    names = sorted(set(frame["data"]))
    if data is None:
        if len(names) > 1:
            raise InputError(f"{path} has tables of {', '.join(names)}: say which, e.g. --search-on {names[0]}")
        return frame
    if data not in names:
        raise UnknownName(f"data set of {path}", data, names)
    return frame[frame["data"] == data]


def _of_seeds(frame: pd.DataFrame, seeds: tuple[int, ...] | None, path: Path) -> pd.DataFrame:
    """Select the rows of some training seeds; all rows for None."""
    if seeds is None:
        return frame
    there = sorted(set(frame["seed"].tolist()))
    missing = [seed for seed in seeds if seed not in there]
    if missing:
        raise InputError(
            f"{path} has no trainings with seed {', '.join(map(str, missing))}; there are {', '.join(map(str, there))}"
        )
    return frame[frame["seed"].isin(seeds)]


def read_nasbench201(path: Path, data: str) -> Table:
    """Read the archive of NAS-Bench-201, which holds means over seeds only.

    Args:
        path: the .npz archive.
        data: "cifar10", "cifar100" or "imagenet16-120".

    Returns:
        The table: validation accuracy and cost of 12 epochs, test accuracy after 200 epochs.

    Raises:
        UnknownName: for another data set.
        InputError: when the file is not the archive.

    Source: Dong & Yang 2020 (2001.00326), section 5. A search receives the validation accuracy after 12 epochs and is
        charged the training and validation time of these epochs. The test accuracy after 200 epochs is reported.
    """
    if data not in NASBENCH201_COLUMNS:
        raise UnknownName("data set of NAS-Bench-201", data, NASBENCH201_COLUMNS)
    val, seconds, test = NASBENCH201_COLUMNS[data]
    space = get_space("nasbench201")
    try:
        with np.load(path, allow_pickle=False) as archive:
            columns = {name: archive[name] for name in (val, seconds, test, "ops", "op_names")}
    except (KeyError, ValueError, OSError) as error:
        raise InputError(f"{path} is not the archive of NAS-Bench-201: {' '.join(str(error).split())}") from None
    labels = space.decisions[0].labels
    choice_of = np.array([labels.index(name) for name in columns["op_names"].tolist()], dtype=np.int64)
    choices = choice_of[columns["ops"]]
    order = np.lexsort(choices.T[::-1])  # lexicographic, first decision slowest
    if len(np.unique(choices, axis=0)) != space.size or len(choices) != space.size:
        raise InputError(f"{path} has {len(choices)} rows; the archive of NAS-Bench-201 has each of {space.size} cells")
    column = {name: columns[name][order] for name in (val, seconds, test)}
    counts = table_counts(data)
    return Table(
        name=data,
        space=space,
        val_acc=column[val] / _PERCENT,
        test_acc=column[test] / _PERCENT,
        seconds=column[seconds].astype(np.float64),
        params=counts.params,
        mult_adds=counts.mult_adds,
    )


def table_of_children(frame: pd.DataFrame, source: str, score: Score = ACCURACY) -> Table:
    """Make the table of a results file whose rows cover their space; its values are means over the trainings of a hash.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`), with the score in place of accuracies.
        source: the file's name, for errors.
        score: what they are judged by.

    Returns:
        The table. Validation accuracies and costs come from rows of stage "search", or of stage "final" if there are no
        others, as in a table that this suite built. Test accuracies come from rows of stage "final". Copies that a
        cache made of a training count once with it, and rows that the end of a budget cut (unfinished) do not count. An
        architecture whose children all failed has a validation accuracy of NaN. Costs are those from the first epoch on, and
        come from one platform (`of_one_platform`), because seconds of different machines cannot be averaged. `trainings`
        is None if rows are themselves means over seeds (seed -1), as importers write them.

    Raises:
        InputError: when the rows are of several spaces or protocols, the space is too large, hashes are missing, or the
            rows do not say what a whole training costs.
        UnknownName: when there is no such space.
    """
    search = _scored(frame)
    for column in ("space", "fingerprint"):
        found = sorted(set(search[column]))
        if len(found) != 1:
            made = column == "fingerprint" and str(search["space"].iloc[0]).startswith("choices:")
            advice = (
                "; if the files that it was made of have different options, join them before the import" if made else ""
            )
            raise InputError(
                f"{source} is no table: it has children of {len(found)} values of {column!r}, not of one{advice}"
            )
    space = get_space(search["space"].iloc[0])
    if space.size > LARGEST:
        raise InputError(f"space {space.spec!r} has {space.size} sequences of choices; tables hold at most {LARGEST}")
    rows = search.groupby("hash").agg({"params": "max", "mult_adds": "max"})
    rows["device_seconds"] = _costed(frame, source).groupby("hash")["device_seconds"].mean()
    rows["val_acc"] = _ok(search).groupby("hash")["val_acc"].mean()
    final = frame[(frame["stage"] == "final") & (frame["status"] == "ok")]
    tests = each_once(final, ("fingerprint", "val_acc", "test_acc"))
    rows["test_acc"] = tests.groupby("hash")["test_acc"].mean()
    hashes = _hashes(space)
    missing = set(hashes) - set(rows.index)
    if missing:
        raise InputError(
            f"{source} is no table of {space.spec!r}: {len(missing)} of {len(set(hashes))} architectures have no "
            "row; train them first"
        )
    columns: dict[str, Any] = {name: values.to_numpy() for name, values in rows.loc[hashes].items()}
    return Table(
        name=str(search["data"].iloc[0]),
        space=space,
        val_acc=columns["val_acc"].astype(np.float64),
        test_acc=columns["test_acc"].astype(np.float64),
        seconds=columns["device_seconds"].astype(np.float64),
        params=_counts(columns["params"]),
        mult_adds=_counts(columns["mult_adds"]),
        trainings=None if (search["seed"] == MEAN_SEED).any() else trainings_of(search, hashes),
        score=score,
    )


def _scored(frame: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of a file whose scores and costs a table holds: of whole trainings that were not cut."""
    whole = whole_trainings(frame)
    whole = whole[whole["status"] != "unfinished"]
    search = whole[whole["stage"] == "search"]
    # a built table: each training was scored on both sets at once
    return search if len(search) else whole[whole["stage"] == "final"]


def _ok(search: pd.DataFrame) -> pd.DataFrame:
    """Select the trainings that have scores, each once."""
    return each_once(search[search["status"] == "ok"])


def _costed(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """Select the trainings whose seconds are comparable, each once, with the seconds from the first epoch on.

    Raise InputError where they are not known.
    """
    search = in_one_go(_scored(from_the_start(frame).assign(_whole=begins_at_the_start(frame))))
    known = search[search["_whole"] | search["device_seconds"].isna()]
    total = search["hash"].nunique()
    lacking = total - known["hash"].nunique()
    if lacking:
        raise InputError(
            f"{source} does not say what whole trainings cost ({lacking} of {total} architectures): their children go on from "
            "children of other files (column continues); merge those files into it (nasbench merge)"
        )
    return of_one_platform(each_once(known, ("status", "val_acc", "platform", "device_seconds")))


def _with_curves(table: Table, results: Results, rows: pd.DataFrame, source: str) -> Table:
    """Add the curves of the children that a table was made of."""
    if not table.score.is_accuracy:
        raise InputError(
            f"{source} is judged by {table.score.name(VAL_ACC)}, and the curves of its trainings are accuracies; choose a strategy of "
            "whole trainings, e.g. random"
        )
    ok = _ok(_scored(rows))
    costs = _costed(rows[rows["status"] == "ok"], source)
    single = None if table.trainings is None else table.trainings.rows
    return replace(table, curves=curves_of(results, ok, costs, _hashes(table.space), single, source))


def _range_of(scores: FloatArray) -> tuple[float, float]:
    """Lowest and highest known score."""
    known = scores[np.isfinite(scores)]
    return float(known.min()), float(known.max())


def _counts(values: Any) -> IntArray:
    """Counts as ints, UNKNOWN_COUNT where they are missing."""
    counts: IntArray = np.where(np.isnan(values.astype(np.float64)), UNKNOWN_COUNT, values).astype(np.int64)
    return counts


def agreement(searched: Table, reported: Table) -> float:
    """Rank agreement of two tables of one space: of what searches see in one with what is reported in the other.

    Args:
        searched: table whose validation scores count.
        reported: table whose reported scores count.

    Returns:
        Kendall's tau-b over the architectures that have both scores, each hash once; NaN with fewer than two.

    Raises:
        InputError: when they are of different spaces.
    """
    if searched.space != reported.space:
        raise InputError(
            f"tables of {searched.space.spec!r} and {reported.space.spec!r} have no architectures in common"
        )
    from scipy.stats import kendalltau

    _, first = np.unique(_hashes(searched.space), return_index=True)
    pairs = np.stack([searched.val_acc[first], reported.reported_acc[first]])
    pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
    return float(kendalltau(*pairs).statistic) if pairs.shape[1] > 1 else math.nan


def in_one_go(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the whole trainings whose seconds are the cost of their architecture.

    Args:
        rows: children with hash, each of a whole training; without the column `from_epoch` none went on.

    Returns:
        Those that did not go on from a checkpoint, where set-up is paid again, and all of hashes without such a one.
    """
    if "from_epoch" not in rows:
        return rows
    at_once = rows["from_epoch"] == 0
    return rows[at_once | ~rows["hash"].isin(rows.loc[at_once, "hash"])]


def of_one_platform(rows: pd.DataFrame) -> pd.DataFrame:
    """Select rows whose seconds can be compared.

    Args:
        rows: children with hash and platform, at least one.

    Returns:
        The rows of the platform with the most hashes (if equal, the most rows), and all rows of hashes that this
        platform lacks.
    """
    platforms = (
        rows.groupby("platform")["hash"].agg(["nunique", "size"]).sort_values(["nunique", "size"], kind="stable")
    )
    of_it = rows["platform"] == platforms.index[-1]
    return rows[of_it | ~rows["hash"].isin(rows.loc[of_it, "hash"])]


def published_replays() -> pd.DataFrame:
    """Read the published results of searches of complete tables.

    Returns:
        The columns of `results/published_replays.csv`, which `results/README.md` explains; missing options and notes
        are ''.
    """
    import pandas as pd

    text = resources.files("nasbench.results").joinpath("published_replays.csv").read_text(encoding="utf-8")
    frame: pd.DataFrame = pd.read_csv(io.StringIO(text), dtype={"options": str, "paper": str, "place": str})
    return frame.fillna({"options": "", "note": ""})


@lru_cache(maxsize=2)
def _hashes(space: Space) -> list[str]:
    """List the hash of every sequence of choices, in lexicographic order."""
    options = [decision.options for decision in space.decisions]
    choices = np.stack(np.unravel_index(np.arange(space.size), options), axis=-1).tolist()
    return [space.hash(Architecture(space, tuple(row))) for row in choices]
