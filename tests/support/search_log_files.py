"""Writers of search logs in the forms of other programs: Optuna's storages, Syne Tune's folders, HpBandSter's lines."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_TABLES = """
CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name VARCHAR(512) NOT NULL);
CREATE TABLE study_directions (study_direction_id INTEGER PRIMARY KEY, direction VARCHAR(8), study_id INTEGER,
  objective INTEGER);
CREATE TABLE study_user_attributes (study_user_attribute_id INTEGER PRIMARY KEY, study_id INTEGER, key VARCHAR,
  value_json TEXT);
CREATE TABLE study_system_attributes (study_system_attribute_id INTEGER PRIMARY KEY, study_id INTEGER, key VARCHAR,
  value_json TEXT);
CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER, state VARCHAR(8),
  datetime_start DATETIME, datetime_complete DATETIME);
CREATE TABLE trial_params (param_id INTEGER PRIMARY KEY, trial_id INTEGER, param_name VARCHAR, param_value FLOAT,
  distribution_json TEXT);
CREATE TABLE trial_values (trial_value_id INTEGER PRIMARY KEY, trial_id INTEGER, objective INTEGER, value FLOAT,
  value_type VARCHAR(7));
CREATE TABLE trial_intermediate_values (trial_intermediate_value_id INTEGER PRIMARY KEY, trial_id INTEGER, step INTEGER,
  intermediate_value FLOAT, intermediate_value_type VARCHAR(7));
CREATE TABLE trial_user_attributes (trial_user_attribute_id INTEGER PRIMARY KEY, trial_id INTEGER, key VARCHAR,
  value_json TEXT);
CREATE TABLE version_info (version_info_id INTEGER PRIMARY KEY, schema_version INTEGER, library_version VARCHAR);
"""
# Version 2.0: the direction belongs to the study, the value to the trial, and trial_values are the reports.
_OLD_TABLES = """
CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name VARCHAR(512) NOT NULL, direction VARCHAR(8));
CREATE TABLE study_user_attributes (study_user_attribute_id INTEGER PRIMARY KEY, study_id INTEGER, key VARCHAR,
  value_json VARCHAR(2048));
CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER, state VARCHAR(8), value FLOAT,
  datetime_start DATETIME, datetime_complete DATETIME);
CREATE TABLE trial_params (param_id INTEGER PRIMARY KEY, trial_id INTEGER, param_name VARCHAR, param_value FLOAT,
  distribution_json VARCHAR(2048));
CREATE TABLE trial_values (trial_value_id INTEGER PRIMARY KEY, trial_id INTEGER, step INTEGER, value FLOAT);
CREATE TABLE trial_user_attributes (trial_user_attribute_id INTEGER PRIMARY KEY, trial_id INTEGER, key VARCHAR,
  value_json VARCHAR(2048));
"""


@dataclass(frozen=True)
class Told:
    """A trial to write: options by parameter, values, reports by step, start and end in seconds after midnight."""

    options: Mapping[str, int]
    values: Sequence[float] = ()
    state: str = "COMPLETE"
    reports: Mapping[int, float] = field(default_factory=dict)
    times: tuple[int, int] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def categorical(choices: Sequence[Any]) -> str:
    return json.dumps({"name": "CategoricalDistribution", "attributes": {"choices": list(choices)}})


def moment(seconds: int) -> str:
    return f"2026-01-01 {seconds // 3600:02}:{seconds % 3600 // 60:02}:{seconds % 60:02}.000000"


def write_sqlite(
    path: Path,
    studies: Mapping[str, Sequence[Told]],
    choices: Sequence[Any] = OPERATIONS,
    directions: Sequence[str] = ("MAXIMIZE",),
    attributes: Mapping[str, Any] | None = None,
    old: bool = False,
) -> str:
    """Write a storage as Optuna 4 writes it, or Optuna 2.0."""
    with closing(sqlite3.connect(path)) as base:
        base.executescript(_OLD_TABLES if old else _TABLES)

        def insert(table: str, *values: Any) -> None:
            base.execute(f"INSERT INTO {table} VALUES (NULL{', ?' * len(values)})", values)

        trial_id = 0
        for study_id, (name, trials) in enumerate(studies.items(), start=1):
            insert("studies", name, *([directions[0]] if old else []))
            for place, direction in enumerate([] if old else directions):
                insert("study_directions", direction, study_id, place)
            for key, value in (attributes or {}).items():
                insert("study_user_attributes", study_id, key, json.dumps(value))
            for number, trial in enumerate(trials):
                trial_id += 1
                times = (None, None) if trial.times is None else tuple(map(moment, trial.times))
                value = [trial.values[0] if trial.values else None] if old else []
                insert("trials", number, study_id, trial.state, *value, *times)
                for name_of, option in trial.options.items():
                    insert("trial_params", trial_id, name_of, float(option), categorical(choices))
                for place, each in enumerate([] if old else trial.values):
                    insert("trial_values", trial_id, place, each, "FINITE")
                for step, each in trial.reports.items():
                    if old:
                        insert("trial_values", trial_id, step, each)
                    else:
                        insert("trial_intermediate_values", trial_id, step, each, "FINITE")
                for key, each in trial.attributes.items():
                    insert("trial_user_attributes", trial_id, key, json.dumps(each))
        base.commit()
    return str(path)


def write_journal(
    path: Path,
    studies: Mapping[str, Sequence[Told]],
    choices: Sequence[Any] = OPERATIONS,
    directions: Sequence[int] = (2,),
    cut: bool = False,
) -> str:
    """Write the records that Optuna's journal storage writes; with `cut`, the last one ends within its line."""
    records: list[dict[str, Any]] = []
    trial_id = 0
    for study_id, (name, trials) in enumerate(studies.items()):
        records.append({"op_code": 0, "study_name": name, "directions": list(directions)})
        for trial in trials:
            begun, ended = trial.times or (0, 0)
            records.append({"op_code": 4, "study_id": study_id, "datetime_start": moment(begun).replace(" ", "T")})
            for name_of, option in trial.options.items():
                told = {"param_name": name_of, "param_value_internal": option, "distribution": categorical(choices)}
                records.append({"op_code": 5, "trial_id": trial_id, **told})
            for step, value in trial.reports.items():
                records.append({"op_code": 7, "trial_id": trial_id, "step": step, "intermediate_value": value})
            for key, each in trial.attributes.items():
                records.append({"op_code": 8, "trial_id": trial_id, "user_attr": {key: each}})
            if trial.state != "RUNNING":
                end = {"state": STATES.index(trial.state), "values": list(trial.values) or None}
                at = moment(ended).replace(" ", "T")
                records.append({"op_code": 6, "trial_id": trial_id, **end, "datetime_complete": at})
            trial_id += 1
    lines = [json.dumps({"worker_id": "w", **record}) for record in records]
    path.write_text("\n".join(lines) + ("\n" + lines[-1][:20] if cut else "\n"))
    return str(path)


def options(*places: int) -> dict[str, int]:
    """Options of six parameters e0 to e5, those that are not given 0."""
    return {f"e{place}": (*places, 0, 0, 0, 0, 0, 0)[place] for place in range(6)}


def write_synetune(
    folder: Path, rows: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any] | None = None, packed: bool = True
) -> str:
    """Write a folder of an experiment."""
    folder.mkdir(parents=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    if packed:
        with zipfile.ZipFile(folder / "results.csv.zip", "w") as file:
            file.writestr("results.csv", text.getvalue())
    else:
        (folder / "results.csv").write_text(text.getvalue())
    if metadata is not None:
        (folder / "metadata.json").write_text(json.dumps(metadata))
    return str(folder)


def reports(
    trial: int, errors: Sequence[float], operation: str, decision: str = "CONTINUE", start: float = 0.0
) -> list[dict[str, Any]]:
    """Reports of a trial with two hyperparameters, one per epoch of ten seconds."""
    return [
        {
            "trial_id": trial,
            "epoch": epoch,
            "valid_error": error,
            "config_op": operation,
            "config_lr": 0.1,
            "st_decision": decision if epoch == len(errors) else "CONTINUE",
            "st_worker_time": 10.0 * epoch,
            "st_worker_timestamp": 1e9 + start + 10.0 * epoch,
            "st_tuner_time": start + 10.0 * epoch,
        }
        for epoch, error in enumerate(errors, start=1)
    ]


def write_hpbandster(folder: Path, results: Sequence[Sequence[Any]], configs: Mapping[int, Mapping[str, Any]]) -> str:
    """Write configurations by number, and results: number, budget, start, end, loss or None, exception or None."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "configs.json", "w") as file:
        for number, config in configs.items():
            file.write(json.dumps([[0, 0, number], config, {"model_based_pick": False}]) + "\n")
    with open(folder / "results.json", "w") as file:
        for number, budget, begun, ended, loss, exception in results:
            times = {"submitted": begun - 1, "started": begun, "finished": ended}
            result = None if loss is None else {"loss": loss, "info": {"params": 1000 + number}}
            file.write(json.dumps([[0, 0, number], budget, times, result, exception]) + "\n")
    return str(folder)
