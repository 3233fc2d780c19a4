"""Import of Optuna's studies: SQLite storages of versions 2 to 4, and journal files. Optuna is not needed.

Source: the tables of `optuna/storages/_rdb/models.py` and the records of `optuna/storages/journal/_storage.py`.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from nasbench.errors import InputError, UnknownName
from nasbench.scores import HIGHER, LOWER
from nasbench.store.format.quantities import Quantity
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.importer_base import Collector, Imported, ImportSource
from nasbench.tabular.importers.naming import CHOICES, Namer
from nasbench.tabular.importers.search_logs import SearchLog, Setting, Trial, Value, add_search, seconds_of

_SQLITE: Final = b"SQLite format 3\0"
_STATES: Final = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_DIRECTIONS: Final = ("NOT_SET", "MINIMIZE", "MAXIMIZE")
_CATEGORICAL: Final = "CategoricalDistribution"
_METRICS: Final = "study:metric_names"
_INFINITE: Final = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}


@dataclass
class StudyTrial:
    """A trial as Optuna stores it."""

    number: int
    state: str
    params: dict[str, Any] = field(default_factory=dict)
    distributions: dict[str, dict[str, Any]] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)
    reports: dict[float, float] = field(default_factory=dict)
    started: float = math.nan
    finished: float = math.nan
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Study:
    """A study as Optuna stores it."""

    name: str
    directions: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    trials: list[StudyTrial] = field(default_factory=list)


@dataclass(frozen=True)
class Wishes:
    """What an import of studies is told.

    Args:
        protocol: name of the protocol.
        data: name of the data set.
        value: what the first objective is, see `search_logs.Value`; "" for a quantity of its own name.
        strategy: name of the strategy; "" for the study's attribute "strategy" or "sampler", else its name.
        seed: seed of the search, -1 for the study's attribute "seed".
        architecture: names of the parameters, in the order of the decisions; () for all categorical ones.
        study: name of the study; "" for all.
        columns: column of children, or text of a quantity -> user attribute of trials.
        any_fidelity: whether trials that were pruned count by their last value.
    """

    protocol: str = "unknown"
    data: str = "unknown"
    value: str = ""
    strategy: str = ""
    seed: int = -1
    architecture: tuple[str, ...] = ()
    study: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    any_fidelity: bool = False


@describes(
    About(
        what="studies of Optuna: an SQLite storage (.db) or a journal file (.log), one run per study",
        command="optuna FILE -o OUT.h5 --space choices --value val_acc",
        licence="that of whoever made the study",
        size="any",
        published="anybody; Optuna: https://github.com/optuna/optuna",
        has=("trials in their order", "states of failed and pruned trials", "reported values", "times"),
        lacks=(
            "the seconds of the sampler",
            "what the values are: --value",
            "names of sampler and seed: --strategy, --run-seed",
        ),
        times=True,
    )
)
def import_optuna(path: str, output: str | None, space: str, wishes: Wishes, take_over: bool = False) -> Imported:
    """Import the studies of a storage, one run per study.

    Args:
        path: an SQLite file or a journal file.
        output: the new results file, ending in .h5; None to write nothing and return what would be stored.
        space: space of the architectures, with its options; "choices" to make one of the categorical parameters.
        wishes: what the study does not say.
        take_over: see `store.lock.ResultsLock`.

    Returns:
        What was imported.

    Raises:
        MissingData: when the file does not exist or has no trials.
        UnknownName: when it has no such study, parameter or attribute.
        InputError: when it is no storage of Optuna, or a trial does not fit; the message names it.
        StoreError: when the output cannot be written.
    """
    source = ImportSource.of(path, "optuna")
    studies = read_studies(path)
    if wishes.study:
        known = {study.name: study for study in studies}
        if wishes.study not in known:
            raise UnknownName(f"study of {path}", wishes.study, known)
        studies = [known[wishes.study]]
    studies = [study for study in studies if study.trials]
    remarks: list[str] = []
    with Collector(source) as collector:
        for study in studies:
            try:
                remarks += _add(collector, study, space, wishes)
            except InputError as error:
                raise InputError(f"{path}: study {study.name!r}: {error}") from None
        found = collector.write(output, take_over) if output is not None else collector.imported()
    found.remarks, found.unit = [*found.remarks, *dict.fromkeys(remarks)], "trials"
    return found


def _add(collector: Collector, study: Study, space: str, wishes: Wishes) -> list[str]:
    remarks = []
    trials = [trial for trial in study.trials if trial.state != "WAITING"]
    names = list(wishes.architecture) or _categorical(trials)
    for name in names:
        if not any(name in trial.params for trial in trials):
            raise UnknownName("parameter", name, sorted({each for trial in trials for each in trial.params}))
    options = {name: choices for name in names if (choices := _options(trials, name))}
    namer = Namer(space, names, options)
    values = _values(study, wishes)
    columns, quantities = _attributes(wishes.columns)
    made = []
    for trial in trials:
        if any(name not in trial.params for name in names):
            remarks.append(f"study {study.name!r}: trials without all parameters of an architecture are left out")
            continue
        try:
            made.append(_trial(trial, namer, names, values, columns, quantities))
        except InputError as error:
            raise InputError(f"trial {trial.number}: {error}") from None
    if not made:
        raise InputError("no trial has an architecture")
    described = {key: study.attributes.get(key) for key in ("strategy", "sampler", "seed")}
    strategy = wishes.strategy or str(described["strategy"] or described["sampler"] or study.name)
    seed = wishes.seed if wishes.seed >= 0 or not isinstance(described["seed"], int) else described["seed"]
    about: dict[str, Any] = {"parameters": names, "states": _counts(study)}
    if namer.labels:
        about["options"] = namer.labels
    notes = json.dumps({"value": wishes.value, "map": dict(wishes.columns)}, sort_keys=True)
    setting = Setting(wishes.protocol, wishes.data, values[0][0], notes, wishes.any_fidelity)
    return [*remarks, *add_search(collector, SearchLog(strategy, seed, study.name, made, "", about), setting)]


def _counts(study: Study) -> dict[str, int]:
    states = [trial.state for trial in study.trials]
    return {state: states.count(state) for state in dict.fromkeys(states)}


def _categorical(trials: Sequence[StudyTrial]) -> list[str]:
    """Categorical parameters, in the order in which the study first used them."""
    names = [name for trial in trials for name in trial.params if _is_categorical(trial.distributions.get(name, {}))]
    if not names:
        raise InputError("no parameter is categorical; name those that make up an architecture by --architecture")
    return list(dict.fromkeys(names))


def _is_categorical(distribution: Mapping[str, Any]) -> bool:
    return distribution.get("name") == _CATEGORICAL


def _options(trials: Sequence[StudyTrial], name: str) -> list[Any]:
    """Options of a parameter: those of its distribution, or the whole numbers of a range."""
    for trial in trials:
        found = trial.distributions.get(name, {})
        attributes = found.get("attributes", {})
        if _is_categorical(found):
            return list(attributes.get("choices", ()))
        low, high, step = attributes.get("low"), attributes.get("high"), attributes.get("step") or 1
        if (
            "Int" in str(found.get("name", ""))
            and all(isinstance(each, int) for each in (low, high, step))
            and step > 0
        ):
            return list(range(low, high + 1, step))[:10_000]
    return []


def _values(study: Study, wishes: Wishes) -> list[tuple[Value, Quantity | None]]:
    """What each objective is: the first one judges the trials, the others are quantities beside it."""
    metrics = study.attributes.get(_METRICS)
    names = [str(name) for name in metrics] if isinstance(metrics, list) else []
    directions = [LOWER if way == "MINIMIZE" else HIGHER for way in study.directions] or [LOWER]
    found: list[tuple[Value, Quantity | None]] = []
    for place, direction in enumerate(directions):
        name = names[place] if place < len(names) else "value" if len(directions) == 1 else f"value{place}"
        if place == 0 and wishes.value:
            value = Value.parse(wishes.value)
            if value.direction != direction:
                raise InputError(
                    f"--value {wishes.value}: better values are {value.direction}, but the study's first objective is to be "
                    f"{'minimized' if direction == LOWER else 'maximized'}; e.g. val_error for 1 - accuracy"
                )
            found.append((value, None))
            continue
        quantity = Quantity("_".join(name.split()), "", direction)
        found.append((Value("", quantity), quantity))
    return found


def _attributes(columns: Mapping[str, str]) -> tuple[dict[str, str], dict[Quantity, str]]:
    plain = {ours: theirs for ours, theirs in columns.items() if ":" not in ours}
    return plain, {Quantity.parse(ours): theirs for ours, theirs in columns.items() if ":" in ours}


def _trial(
    trial: StudyTrial,
    namer: Namer,
    names: Sequence[str],
    values: Sequence[tuple[Value, Quantity | None]],
    columns: Mapping[str, str],
    quantities: Mapping[Quantity, str],
) -> Trial:
    from nasbench.tabular.importers.cells import CellReader

    reader = CellReader()
    given = [trial.params[name] for name in names]
    architecture = _one(namer, given[0]) if len(names) == 1 and namer.space != CHOICES else namer.architecture(given)
    status, error = _status(trial)
    measured = {
        quantity: value
        for (_, quantity), value in zip(values[1:], trial.values[1:])
        if quantity is not None and math.isfinite(value)
    }
    for quantity, name in quantities.items():
        value = trial.attributes.get(name)
        measured[quantity] = float(value) if isinstance(value, int | float) else math.nan
    read = {ours: reader.value(ours, trial.attributes.get(theirs)) for ours, theirs in columns.items()}
    return Trial(
        number=trial.number,
        architecture=architecture,
        status=status,
        error=error,
        value=trial.values[0] if status == "ok" and trial.values else math.nan,
        reports={step: value for step, value in trial.reports.items() if not math.isnan(value)},
        seconds=_between(trial.started, trial.finished),
        started=trial.started,
        finished=trial.finished,
        columns={name: value for name, value in read.items() if value is not None},
        measured=measured,
    )


def _between(started: float, finished: float) -> float:
    """Seconds of a trial; NaN where one of the times is unknown."""
    return finished - started if not finished < started else 0.0


def _one(namer: Namer, value: Any) -> Any:
    """An architecture that one parameter writes as text."""
    from nasbench.tabular.importers.csv_parquet import architecture_of

    return architecture_of(namer.opened, value)


def _status(trial: StudyTrial) -> tuple[str, str]:
    if trial.state == "COMPLETE":
        finite = not trial.values or math.isfinite(trial.values[0])
        return ("ok", "") if finite else ("diverged", f"the value is {trial.values[0]:g}")
    if trial.state == "PRUNED":
        last = max(trial.reports, default=None)
        return "unfinished", "pruned" if last is None else f"pruned at step {last:g} (value {trial.reports[last]:g})"
    if trial.state == "FAIL":
        return "failed", str(trial.attributes.get("fail_reason", "")) or "the trial failed"
    return "unfinished", "the trial was still running"


def read_studies(path: str) -> list[Study]:
    """Read all studies of a storage.

    Args:
        path: an SQLite file or a journal file.

    Returns:
        The studies with their trials.

    Raises:
        InputError: when it is neither.
    """
    with open(path, "rb") as file:
        start = file.read(len(_SQLITE))
    return _of_sqlite(path) if start == _SQLITE else _of_journal(path)


def _of_sqlite(path: str) -> list[Study]:
    from pathlib import Path

    try:
        with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return _of_tables(path, database)
    except sqlite3.Error as error:
        raise InputError(f"{path} cannot be read as an SQLite storage of Optuna: {error}") from None


def _of_tables(path: str, database: sqlite3.Connection) -> list[Study]:
    tables = {row["name"] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    lacking = sorted({"studies", "trials", "trial_params"} - tables)
    if lacking:
        raise InputError(f"{path} is no storage of Optuna: it has no table {', '.join(lacking)}")

    def rows(table: str) -> list[dict[str, Any]]:
        return [dict(row) for row in database.execute(f'SELECT * FROM "{table}"')] if table in tables else []

    studies = {
        row["study_id"]: Study(row["study_name"], [row["direction"]] if "direction" in row else [])
        for row in rows("studies")
    }
    for row in sorted(rows("study_directions"), key=lambda row: row["objective"]):
        studies[row["study_id"]].directions.append(row["direction"])
    for table in ("study_system_attributes", "study_user_attributes"):
        for row in rows(table):
            studies[row["study_id"]].attributes[row["key"]] = _json(path, row["value_json"])
    trials: dict[int, StudyTrial] = {}
    for row in sorted(rows("trials"), key=lambda row: row["trial_id"]):
        study = studies[row["study_id"]]
        number = row.get("number")
        trial = StudyTrial(len(study.trials) if number is None else number, row["state"])
        trial.started, trial.finished = (seconds_of(row[name]) for name in ("datetime_start", "datetime_complete"))
        if row.get("value") is not None:  # storages before version 2.4
            trial.values = [float(row["value"])]
        trials[row["trial_id"]] = trial
        study.trials.append(trial)
    for row in sorted(rows("trial_params"), key=lambda row: row["param_id"]):
        trial, distribution = trials[row["trial_id"]], _json(path, row["distribution_json"])
        trial.distributions[row["param_name"]] = distribution
        trial.params[row["param_name"]] = _external(distribution, row["param_value"])
    for row in sorted(rows("trial_values"), key=lambda row: row.get("objective") or 0):
        if "step" in row:  # before version 2.4, these are the reports
            trials[row["trial_id"]].reports[float(row["step"])] = _number(row["value"])
        else:
            trials[row["trial_id"]].values.append(_INFINITE.get(row.get("value_type") or "", _number(row["value"])))
    for row in rows("trial_intermediate_values"):
        kind = row.get("intermediate_value_type") or ""
        value = _INFINITE.get(kind, _number(row["intermediate_value"]))
        trials[row["trial_id"]].reports[float(row["step"])] = value
    for table in ("trial_system_attributes", "trial_user_attributes"):
        for row in rows(table):
            trials[row["trial_id"]].attributes[row["key"]] = _json(path, row["value_json"])
    return list(studies.values())


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _json(path: str, text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        raise InputError(f"{path}: {text!r:.60} is no JSON, as Optuna writes it") from None


def _external(distribution: Mapping[str, Any], value: float) -> Any:
    """Value of a parameter: an option, or the number."""
    if _is_categorical(distribution):
        choices = distribution.get("attributes", {}).get("choices", ())
        place = int(value)
        if not 0 <= place < len(choices):
            raise InputError(f"option {place} of a parameter with {len(choices)} options")
        return choices[place]
    return int(value) if "Int" in str(distribution.get("name", "")) and float(value).is_integer() else value


def _of_journal(path: str) -> list[Study]:
    studies: dict[int, Study | None] = {}
    trials: list[tuple[int, StudyTrial]] = []
    for number, record in _records(path):
        try:
            _apply(record, studies, trials)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{path}, line {number}: not a record of Optuna's journal ({type(error).__name__}: {error})"
            ) from None
    for study_id, trial in trials:
        owner = studies[study_id]
        if owner is not None:
            trial.number = len(owner.trials)
            owner.trials.append(trial)
    return [study for study in studies.values() if study is not None]


def _records(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError:
                if not line.endswith("\n"):
                    return  # the last record was cut off while it was written
                record = None
            if not isinstance(record, dict) or not isinstance(record.get("op_code"), int):
                raise InputError(f"{path}, line {number}: neither an SQLite file nor a journal of Optuna")
            yield number, record


def _apply(record: Mapping[str, Any], studies: dict[int, Study | None], trials: list[tuple[int, StudyTrial]]) -> None:
    """Repeat one operation; the codes are those of `JournalOperation`."""
    code = record["op_code"]
    if code == 0:
        studies[len(studies)] = Study(record["study_name"], [_DIRECTIONS[way] for way in record["directions"]])
    elif code == 1:
        studies[record["study_id"]] = None
    elif code in (2, 3):
        study = studies[record["study_id"]]
        if study is not None:
            study.attributes.update(record["user_attr" if code == 2 else "system_attr"])
    elif code == 4:
        trials.append((record["study_id"], _created(record)))
    else:
        trial = trials[record["trial_id"]][1]
        if code == 5:
            distribution = json.loads(record["distribution"])
            trial.distributions[record["param_name"]] = distribution
            trial.params[record["param_name"]] = _external(distribution, record["param_value_internal"])
        elif code == 6:
            trial.state = _STATES[record["state"]]
            trial.values = [_number(value) for value in record["values"] or trial.values]
            trial.started = seconds_of(record["datetime_start"]) if "datetime_start" in record else trial.started
            trial.finished = (
                seconds_of(record["datetime_complete"]) if "datetime_complete" in record else trial.finished
            )
        elif code == 7:
            trial.reports[float(record["step"])] = float(record["intermediate_value"])
        elif code in (8, 9):
            trial.attributes.update(record["user_attr" if code == 8 else "system_attr"])


def _created(record: Mapping[str, Any]) -> StudyTrial:
    trial = StudyTrial(0, _STATES[record.get("state", 0)])
    trial.started = seconds_of(record.get("datetime_start"))
    trial.finished = seconds_of(record.get("datetime_complete"))
    for name, text in (record.get("distributions") or {}).items():
        trial.distributions[name] = json.loads(text)
        trial.params[name] = _external(trial.distributions[name], record["params"][name])
    given = record.get("values") or ([record["value"]] if record.get("value") is not None else [])
    trial.values = [float(value) for value in given]
    trial.reports = {float(step): float(value) for step, value in (record.get("intermediate_values") or {}).items()}
    trial.attributes = {**(record.get("system_attrs") or {}), **(record.get("user_attrs") or {})}
    return trial
