"""Columns of a results file, which the evaluator, the store and the analyses share.

Imports neither torch nor pandas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 3

ColumnType = Literal["int", "float", "bool", "str"]

STATUSES = ("ok", "diverged", "out_of_memory", "timed_out", "failed", "unfinished")
REPEATABLE_STATUSES = ("ok", "diverged")
"""Statuses that repeat when the same child is trained again. The others depend on the machine, and count as failed."""
STAGES = ("search", "final")
TABLE = "table"  # value of the column "strategy" in complete tables, whose rows no strategy chose

LEDGER_CATEGORIES = ("training", "evaluation", "cached", "failed", "searcher", "supernet", "final", "uncounted")
SEARCH_CATEGORIES = tuple(name for name in LEDGER_CATEGORIES if name not in ("final", "uncounted"))
"""Categories charged to the search's budget. Final training comes after the search; "uncounted" is what the search spent
on children that its budget did not cover. Both are reported separately."""


@dataclass(frozen=True)
class Column:
    """One column of the children table: its name, type, unit and meaning.

    A missing float is NaN, a missing str is ''.
    """

    name: str
    type: ColumnType
    unit: str
    meaning: str


CHILD_COLUMNS: tuple[Column, ...] = (
    Column("run", "str", "", "id of the run the child belongs to"),
    Column("index", "int", "", "order in which the strategy asked for the child within its run and stage, from 0"),
    Column("asked", "int", "", "architectures asked for before this child was told: what an exact replay needs"),
    Column(
        "stage",
        "str",
        "",
        "search (chosen by the strategy) or final (trained with its test score: again after a search, or for a complete table)",
    ),
    Column("strategy", "str", "", "name of the strategy"),
    Column("run_seed", "int", "", "seed of the run"),
    Column("space", "str", "", "space with its options, e.g. nasnet:blocks=3"),
    Column("hash", "str", "", "architecture hash, 32 hexadecimal digits"),
    Column("choices", "str", "", "the decisions' choices, a JSON list of ints"),
    Column("protocol", "str", "", "name of the protocol"),
    Column("fingerprint", "str", "", "digest of the protocol with its data, 16 hexadecimal digits"),
    Column("data", "str", "", "name of the data set"),
    Column("seed", "int", "", "seed of the training (initial weights, order, augmentation)"),
    Column(
        "status",
        "str",
        "",
        "ok, diverged, out_of_memory, timed_out, failed, or unfinished (the budget ended during its training)",
    ),
    Column("error", "str", "", "one line on what went wrong, or ''"),
    Column("val_acc", "float", "fraction", "validation accuracy after the last epoch"),
    Column("val_acc_best", "float", "fraction", "best validation accuracy over the epochs"),
    Column("val_loss", "float", "nats", "validation cross-entropy after the last epoch"),
    Column("train_acc", "float", "fraction", "running training accuracy of the last epoch"),
    Column("train_loss", "float", "nats", "running training loss of the last epoch"),
    Column(
        "test_acc",
        "float",
        "fraction",
        "test accuracy after the last epoch; only in stage final, never told to a strategy",
    ),
    Column("test_loss", "float", "nats", "test cross-entropy after the last epoch; only in stage final"),
    Column("reward", "float", "", "what the strategy learned from"),
    Column("params", "int", "", "trainable parameters without auxiliary head"),
    Column("mult_adds", "int", "", "multiply-adds of convolutions and fully connected layers for one image"),
    Column(
        "published_params",
        "int",
        "",
        "trainable parameters that an imported table states, -1 otherwise; it may count layers that cannot reach the output",
    ),
    Column("published_mult_adds", "int", "", "multiply-adds that an imported table states, -1 otherwise"),
    Column("epochs", "int", "", "epochs completed"),
    Column("train_seconds", "float", "s", "seconds in training steps, when it was trained"),
    Column("eval_seconds", "float", "s", "seconds in validation and test passes, when it was trained"),
    Column("setup_seconds", "float", "s", "seconds in building the network and placing data, when it was trained"),
    Column(
        "device_seconds",
        "float",
        "s",
        "train + eval + setup seconds times the share of devices held, when it was trained",
    ),
    Column("gpu_hours", "float", "h", "device-hours charged to the ledger for this child"),
    Column("usd", "float", "USD", "price of the charged hours"),
    Column(
        "searcher_seconds",
        "float",
        "s",
        "seconds the strategy took (ask and tell) since the child before, charged to searcher, or to supernet where they went into shared weights",
    ),
    Column(
        "spent_gpu_hours",
        "float",
        "h",
        "device-hours the search had been charged when this child was told, itself included",
    ),
    Column("wall_seconds", "float", "s", "wall time of the run, over all attempts, when this child was told"),
    Column("peak_memory", "int", "bytes", "peak memory of the training, -1 where unknown"),
    Column("device", "str", "", "device name, e.g. cpu or NVIDIA H100"),
    Column("devices", "float", "", "share of devices held (0.25 when four children share one)"),
    Column(
        "platform",
        "str",
        "",
        "processor and versions, which the last bits depend on, where and when it was trained; '' where it was not trained or did not end",
    ),
    Column("cached_from", "str", "", "run id/index of the row whose scores were reused, or ''"),
    Column("duplicate", "bool", "", "whether the same run asked for the same hash before"),
    Column("counted", "bool", "", "whether the child lies within the budget and was told to the strategy"),
    Column("started_at", "str", "UTC ISO 8601", "when the evaluation started"),
    Column("finished_at", "str", "UTC ISO 8601", "when the evaluation finished"),
)

# Ragged: one value per completed epoch and row.
CURVES: tuple[Column, ...] = (
    Column("train_loss", "float", "nats", "running training loss"),
    Column("train_acc", "float", "fraction", "running training accuracy"),
    Column("val_loss", "float", "nats", "validation cross-entropy"),
    Column("val_acc", "float", "fraction", "validation accuracy"),
    Column("seconds", "float", "s", "seconds of the epoch, training and validation"),
)

RUN_COLUMNS: tuple[Column, ...] = (
    Column("run", "str", "", "id of the run: digest of its configuration, 12 hexadecimal digits"),
    Column("strategy", "str", "", "name of the strategy"),
    Column("space", "str", "", "space with its options"),
    Column("protocol", "str", "", "name of the protocol"),
    Column("fingerprint", "str", "", "digest of the protocol with its data"),
    Column("data", "str", "", "name of the data set"),
    Column("data_digest", "str", "", "digest of the data set's bytes"),
    Column("seed", "int", "", "seed of the run"),
    Column("budget", "str", "", "the budget as given, e.g. 6 children"),
    Column("status", "str", "", "running, interrupted or complete"),
    Column("children", "int", "", "children counted within the budget"),
    *(Column(f"{name}_hours", "float", "h", f"device-hours charged to {name}") for name in SEARCH_CATEGORIES),
    Column("final_hours", "float", "h", "device-hours of trainings after the search, for fresh scores"),
    Column(
        "uncounted_hours",
        "float",
        "h",
        "device-hours spent on children that the budget did not cover; NaN in files of schema 1 and 2, which do not have it",
    ),
    Column("usd", "float", "USD", "price of all charged hours"),
    Column("wall_seconds", "float", "s", "wall time over all attempts"),
    Column("started_at", "str", "UTC ISO 8601", "when the run started"),
    Column("finished_at", "str", "UTC ISO 8601", "when the run ended, or ''"),
    Column("config", "str", "", "the whole configuration as JSON"),
    Column("provenance", "str", "", "versions, commit, host, processor, devices, threads and command line as JSON"),
)
