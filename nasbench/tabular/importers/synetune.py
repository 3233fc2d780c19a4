"""Import of Syne Tune's experiments: `results.csv.zip`, one row per report, and `metadata.json`. Syne Tune is not needed.

Source: the names of columns and files in `syne_tune/constants.py` and `syne_tune/experiments/experiment_result.py`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nasbench.errors import InputError, MissingData, UnknownName
from nasbench.scores import HIGHER, LOWER
from nasbench.store.format.quantities import Quantity
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.cells import CellReader
from nasbench.tabular.importers.importer_base import Collector, Imported, ImportSource
from nasbench.tabular.importers.json_stream import read_json
from nasbench.tabular.importers.naming import CHOICES, Namer
from nasbench.tabular.importers.search_logs import SearchLog, Setting, Trial, Value, add_search

METADATA: Final = "metadata.json"
RESULTS: Final = ("results.csv.zip", "results.csv")
_CONFIG: Final = "config_"
_RESOURCES: Final = ("epoch", "epochs", "resource", "hp_epoch", "step", "st_worker_iter")
_STRATEGIES: Final = ("algorithm", "method", "scheduler_name", "scheduler")
_MOST: Final = 1 << 31  # bytes of an unpacked table
_STOPPED: Final = {"stop": "stopped by the scheduler", "pause": "paused by the scheduler and not resumed"}


@dataclass(frozen=True)
class Wishes:
    """What an import of experiments is told.

    Args:
        protocol: name of the protocol.
        data: name of the data set.
        value: what the first metric is, see `search_logs.Value`; "" for a quantity of its own name.
        strategy: name of the strategy; "" for what the metadata say.
        seed: seed of the search, -1 for that of the metadata.
        architecture: names of configuration values, in the order of the decisions; () for all that are texts.
        resource: column of what a trial was trained; "" to find it.
        columns: column of children, or text of a quantity -> column of the reports.
        any_fidelity: whether trials that were stopped count by their last value.
    """

    protocol: str = "unknown"
    data: str = "unknown"
    value: str = ""
    strategy: str = ""
    seed: int = -1
    architecture: tuple[str, ...] = ()
    resource: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    any_fidelity: bool = False


@describes(
    About(
        what="experiments of Syne Tune: folders with results.csv.zip and metadata.json, one run per experiment",
        command="synetune FOLDER -o OUT.h5 --space choices --value val_error",
        licence="that of whoever made the experiment",
        size="any",
        published="anybody; Syne Tune: https://github.com/syne-tune/syne-tune",
        has=("trials in their order", "reports as curves", "decisions of the scheduler", "times of the workers"),
        lacks=("trials that failed before their first report", "the seconds of the scheduler"),
        times=True,
    )
)
def import_synetune(path: str, output: str | None, space: str, wishes: Wishes, take_over: bool = False) -> Imported:
    """Import experiments, one run each.

    Args:
        path: folder of an experiment, or a folder of such folders.
        output: the new results file, ending in .h5; None to write nothing and return what would be stored.
        space: space of the architectures, with its options; "choices" to make one of the values that the trials have.
        wishes: what the experiment does not say.
        take_over: see `store.lock.ResultsLock`.

    Returns:
        What was imported.

    Raises:
        MissingData: when there is no experiment.
        UnknownName: when it has no such configuration value or column.
        InputError: when the files are no experiment's, or a trial does not fit; the message names it.
        StoreError: when the output cannot be written.
    """
    folders = experiments(path)
    digest = hashlib.blake2b(digest_size=16)
    tables = []
    for folder in folders:
        content = _results(folder)
        digest.update(content)
        tables.append(_rows(folder, content))
    source = ImportSource(Path(path), digest.hexdigest(), "synetune")
    options = _options([row for rows in tables for row in rows]) if space == CHOICES else {}
    remarks: list[str] = []
    with Collector(source) as collector:
        for folder, rows in zip(folders, tables):
            try:
                remarks += _add(collector, folder, rows, space, wishes, options)
            except InputError as error:
                raise InputError(f"{folder}: {error}") from None
        found = collector.write(output, take_over) if output is not None else collector.imported()
    found.remarks, found.unit = [*found.remarks, *dict.fromkeys(remarks)], "trials"
    return found


def experiments(path: str) -> list[Path]:
    """Find the folders of experiments.

    Args:
        path: a folder with a table of results, or one of such folders, at any depth.

    Returns:
        The folders in the order of their names.

    Raises:
        MissingData: when there is none.
    """
    top = Path(path)
    found = [folder for folder in (top, *sorted(top.rglob("*"))) if any((folder / name).is_file() for name in RESULTS)]
    if not found:
        raise MissingData(f"{path}: no experiment of Syne Tune there; its folder has {RESULTS[0]} and {METADATA}")
    return found


def _results(folder: Path) -> bytes:
    path = next(folder / name for name in RESULTS if (folder / name).is_file())
    try:
        if path.suffix != ".zip":
            return path.read_bytes()
        with zipfile.ZipFile(path) as packed:
            names = [each for each in packed.infolist() if not each.is_dir()]
            if len(names) != 1 or names[0].file_size > _MOST:
                raise InputError(f"{path} should hold one table; it holds {len(names)} files")
            return packed.read(names[0])
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def _rows(folder: Path, content: bytes) -> list[dict[str, str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeError as error:
        raise InputError(f"{folder}: the table of results is no UTF-8: {error}") from None
    rows = [dict(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
    if not rows or "trial_id" not in rows[0]:
        raise InputError(f"{folder}: the table of results has no reports of trials (column trial_id)")
    return rows


def _metadata(folder: Path) -> dict[str, Any]:
    path = folder / METADATA
    if not path.is_file():
        return {}
    found = read_json(path.read_text(encoding="utf-8", errors="replace"))
    if not isinstance(found, dict):
        raise InputError(f"{path} is no JSON object")
    return found


def _options(rows: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """Values of each entry of the configurations, sorted, numbers by size."""
    names = [name for name in rows[0] if name.startswith(_CONFIG)]
    return {
        name.removeprefix(_CONFIG): sorted({row.get(name) or "" for row in rows} - {""}, key=_by_size) for name in names
    }


def _by_size(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text


def _add(
    collector: Collector,
    folder: Path,
    rows: Sequence[Mapping[str, str]],
    space: str,
    wishes: Wishes,
    options: Mapping[str, Sequence[str]],
) -> list[str]:
    metadata = _metadata(folder)
    metric, value = _value(metadata, wishes, rows[0])
    names = list(wishes.architecture) or _texts(rows)
    config = [name if name in rows[0] else f"{_CONFIG}{name}" for name in names]
    for name in (metric, *config, *wishes.columns.values()):
        if name not in rows[0]:
            raise UnknownName(f"column of {folder.name}", name, rows[0])
    namer = Namer(space, [name.removeprefix(_CONFIG) for name in names], options)
    resource = _resource(wishes, rows[0])
    trials = [
        _trial(reports, config, namer, metric, value, resource, wishes)
        for reports in _by_trial(rows, resource).values()
    ]
    stated = metadata.get("seed", metadata.get("random_seed"))
    seed = wishes.seed if wishes.seed >= 0 or isinstance(stated, bool) or not isinstance(stated, int) else stated
    named = next((str(metadata[key]) for key in _STRATEGIES if metadata.get(key)), folder.name)
    about: dict[str, Any] = {"parameters": names, "metric": metric, "resource": resource}
    if namer.labels:
        about["options"] = namer.labels
    notes = json.dumps({"value": wishes.value, "map": dict(wishes.columns)}, sort_keys=True)
    setting = Setting(wishes.protocol, wishes.data, value, notes, wishes.any_fidelity)
    log = SearchLog(wishes.strategy or named, seed, folder.name, trials, "", about)
    return add_search(collector, log, setting)


def _value(metadata: Mapping[str, Any], wishes: Wishes, row: Mapping[str, str]) -> tuple[str, Value]:
    """The first metric, and what its values are."""
    names, modes = metadata.get("metric_names"), metadata.get("metric_mode", "min")
    names = [names] if isinstance(names, str) else names or []
    if not names:
        known = [name for name in row if not name.startswith((_CONFIG, "st_")) and name != "trial_id"]
        raise InputError(
            f"{METADATA} does not say which column is the metric (metric_names); there are {', '.join(known)}"
        )
    mode = str(modes[0] if isinstance(modes, list) else modes)
    direction = HIGHER if mode == "max" else LOWER
    if not wishes.value:
        return str(names[0]), Value("", Quantity("_".join(str(names[0]).split()), "", direction))
    value = Value.parse(wishes.value)
    if value.direction != direction:
        raise InputError(
            f"--value {wishes.value}: better values are {value.direction}, but the metric {names[0]!r} has the mode {mode!r}; "
            "e.g. val_error for 1 - accuracy"
        )
    return str(names[0]), value


def _texts(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Entries of the configurations that are texts, which numbers of layers and learning rates are not."""
    names = [name for name in rows[0] if name.startswith(_CONFIG)]
    found = [name for name in names if all(_by_size(row.get(name) or "0")[0] for row in rows)]
    if not found:
        raise InputError(
            "no value of the configurations is a text; name those that make up an architecture by --architecture, of: "
            f"{', '.join(name.removeprefix(_CONFIG) for name in names)[:200]}"
        )
    return [name.removeprefix(_CONFIG) for name in found]


def _resource(wishes: Wishes, row: Mapping[str, str]) -> str:
    if wishes.resource:
        if wishes.resource not in row:
            raise UnknownName("column of the resource", wishes.resource, row)
        return wishes.resource
    return next((name for name in _RESOURCES if name in row), "")


def _by_trial(rows: Sequence[Mapping[str, str]], resource: str) -> dict[str, list[Mapping[str, str]]]:
    """Reports of each trial in their order, trials in the order of their numbers."""
    found: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        found.setdefault(row["trial_id"], []).append(row)
    return {trial: found[trial] for trial in sorted(found, key=_by_size)}


def _float(row: Mapping[str, str], name: str) -> float:
    text = (row.get(name) or "").strip()
    try:
        return float(text) if text else math.nan
    except ValueError:
        raise InputError(f"trial {row['trial_id']}: {name} is {text[:60]!r}, and no number") from None


def _trial(
    reports: Sequence[Mapping[str, str]],
    config: Sequence[str],
    namer: Namer,
    metric: str,
    value: Value,
    resource: str,
    wishes: Wishes,
) -> Trial:
    last = reports[-1]
    number = last["trial_id"]
    given = [last[name] for name in config]
    try:
        if len(config) == 1 and namer.space != CHOICES:
            from nasbench.tabular.importers.csv_parquet import architecture_of

            architecture = architecture_of(namer.opened, given[0])
        else:
            architecture = namer.architecture(given)
        plain = {ours: theirs for ours, theirs in wishes.columns.items() if ":" not in ours}
        read = {ours: CellReader(decimal=".").value(ours, last[theirs]) for ours, theirs in plain.items()}
    except InputError as error:
        raise InputError(f"trial {number}: {error}") from None
    values = [_float(row, metric) for row in reports]
    resources = [_float(row, resource) if resource else float(place) for place, row in enumerate(reports, start=1)]
    decision, state = (last.get("st_decision") or "").lower(), (last.get("st_status") or "").lower()
    status, why = ("failed", "the trial failed") if state == "failed" else ("ok", _STOPPED.get(decision, ""))
    if not math.isfinite(values[-1]) and status == "ok":
        status, why = "diverged", f"the value is {values[-1]:g}"
    begun, ended = _times(reports)
    return Trial(
        number=int(number) if number.isdecimal() else 0,
        architecture=architecture,
        status=status,
        error=why,
        value=values[-1] if status == "ok" else math.nan,
        reports={at: each for at, each in zip(resources, values) if not math.isnan(at) and math.isfinite(each)},
        seconds=_worked(reports),
        started=begun,
        finished=ended,
        columns={name: each for name, each in read.items() if each is not None},
        measured={Quantity.parse(ours): _float(last, theirs) for ours, theirs in wishes.columns.items() if ":" in ours},
    )


def _worked(reports: Sequence[Mapping[str, str]]) -> float:
    """Seconds of the worker; a trial that was paused and resumed counts anew from each resumption."""
    name = next((each for each in ("st_worker_time", "elapsed_time") if reports[-1].get(each)), "")
    if not name:
        return math.nan
    total = before = 0.0
    for row in reports:
        now = _float(row, name)
        if now < before:
            total += before
        before = now
    return total + before


def _times(reports: Sequence[Mapping[str, str]]) -> tuple[float, float]:
    """Beginning and end; the beginning is that of the worker's clock at the first report."""
    stamps = [_float(row, "st_worker_timestamp") for row in (reports[0], reports[-1])]
    if not any(map(math.isnan, stamps)):
        spent = _float(reports[0], "st_worker_time")
        return stamps[0] - (0.0 if math.isnan(spent) else spent), stamps[1]
    tuner = [_float(row, "st_tuner_time") for row in (reports[0], reports[-1])]
    spent = _float(reports[0], "st_worker_time") if "st_worker_time" in reports[0] else math.nan
    return (tuner[0] - spent if not math.isnan(spent) else math.nan), tuner[1]
