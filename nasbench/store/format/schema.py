"""Columns of a results file: names, types, units and meanings.

Training, store and analyses share them. Imports neither torch nor pandas. Meanings are stored beside the columns, and
no reader depends on their text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCHEMA_VERSION = 6
OLDEST_READABLE = 3
"""Files of this schema and later ones are read as they are: schema 4 only adds a table, and schemas 5 and 6 only columns
whose value in earlier files is known (`Column.since`)."""

ColumnType = Literal["int", "float", "bool", "str"]

STATUSES = ("ok", "diverged", "out_of_memory", "timed_out", "failed", "unfinished")
REPEATABLE_STATUSES = ("ok", "diverged")
"""Statuses that another training of the same child would give, too. The others depend on the machine; their time is
charged to the category failed."""
STAGES = ("search", "final")
TABLE = "table"  # value of the column "strategy" in complete tables, whose rows no strategy chose

LEDGER_CATEGORIES = ("training", "evaluation", "cached", "failed", "searcher", "supernet", "final", "uncounted")
SEARCH_CATEGORIES = tuple(name for name in LEDGER_CATEGORIES if name not in ("final", "uncounted"))
"""Categories charged to the search's budget. Final training comes after the search; "uncounted" is what the search spent
on children that its budget did not cover. Both are reported separately."""
UNKNOWN_SEARCHER = "the seconds of the strategy itself"
"""What the configuration of an imported search lists (import, not_known) if its source does not say them; its
searcher_hours are then 0."""


@dataclass(frozen=True)
class Column:
    """One column of a results file.

    Args:
        name: its name in files and data frames.
        type: "int", "float", "bool" or "str". A missing float is NaN, a missing str is ''.
        unit: unit of its values, '' if they have none.
        meaning: one line for people.
        since: first schema that has it, where a readable file may lack it: its value is then 0, NaN, false or ''.
    """

    name: str
    type: ColumnType
    unit: str
    meaning: str
    since: int = 0

    @property
    def earlier(self) -> int | float | bool | str:
        """Value in the rows of files of a schema before `since`."""
        return EARLIER[self.type]


EARLIER: dict[ColumnType, int | float | bool | str] = {"int": 0, "float": float("nan"), "bool": False, "str": ""}
"""Value of a column in files of schemas that did not have it."""


DIRECTIONS = ("lower", "higher")
"""Which values of a measured quantity are better."""

# Columns that children share with their runs.
_STRATEGY = Column("strategy", "str", "", "name of the strategy")
_SPACE = Column("space", "str", "", "space with its options, e.g. nasnet:blocks=3")
_PROTOCOL = (
    Column("protocol", "str", "", "name of the protocol"),
    Column(
        "fingerprint", "str", "", "digest of the protocol, its data and the network's version, 16 hexadecimal digits"
    ),
    Column("data", "str", "", "name of the data set"),
)

CHILD_COLUMNS: tuple[Column, ...] = (
    Column("run", "str", "", "id of the child's run"),
    Column("index", "int", "", "position of the child among the proposals of its run and stage, from 0"),
    Column(
        "asked",
        "int",
        "",
        "number of `ask()` calls before the `tell()` of this child; a resumed run repeats them in this order",
    ),
    Column(
        "stage",
        "str",
        "",
        "search (proposed by the strategy) or final (trained after a search, or for a complete table; has a test "
        "score)",
    ),
    _STRATEGY,
    Column("run_seed", "int", "", "seed of the run"),
    _SPACE,
    Column("hash", "str", "", "architecture hash, 32 hexadecimal digits"),
    Column("choices", "str", "", "choices of the architecture, one per decision: a JSON list of ints"),
    *_PROTOCOL,
    Column("seed", "int", "", "seed of the training (initial weights, order, augmentation)"),
    Column(
        "status",
        "str",
        "",
        "ok, diverged, out_of_memory, timed_out, failed, or unfinished (the budget ended during its training)",
    ),
    Column("error", "str", "", "error message of a child that failed, one line, or ''"),
    Column("val_acc", "float", "fraction", "validation accuracy after the last epoch"),
    Column("val_acc_best", "float", "fraction", "best validation accuracy over the epochs"),
    Column("val_loss", "float", "nats", "validation cross-entropy after the last epoch"),
    Column("train_acc", "float", "fraction", "running training accuracy of the last epoch"),
    Column("train_loss", "float", "nats", "running training loss of the last epoch"),
    Column(
        "test_acc",
        "float",
        "fraction",
        "test accuracy after the last epoch; only in stage final, and never given to a strategy",
    ),
    Column("test_loss", "float", "nats", "test cross-entropy after the last epoch; only in stage final"),
    Column("reward", "float", "", "number that the strategy maximizes, made from the validation accuracy"),
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
    Column(
        "train_seconds", "float", "s", "seconds in training steps; of a cached child, those of the original training"
    ),
    Column(
        "eval_seconds",
        "float",
        "s",
        "seconds in validation and test passes; of a cached child, those of the original training",
    ),
    Column(
        "setup_seconds",
        "float",
        "s",
        "seconds in building the network and placing data; of a cached child, those of the original training",
    ),
    Column(
        "device_seconds",
        "float",
        "s",
        "train + eval + setup seconds times the devices held; of a cached child, those of the original training",
    ),
    Column(
        "gpu_hours",
        "float",
        "h",
        "device-hours charged to the ledger for this child; 0 if a cached child is not counted, because it held no device",
    ),
    Column("usd", "float", "USD", "price of the charged hours"),
    Column(
        "searcher_seconds",
        "float",
        "s",
        "seconds of the strategy (ask and tell) since the previous child; charged to searcher, or to supernet if "
        "they trained shared weights",
    ),
    Column(
        "spent_gpu_hours",
        "float",
        "h",
        "device-hours charged to the search so far, including this child if it is counted",
    ),
    Column("wall_seconds", "float", "s", "wall time of the run, over all attempts, at the `tell()` of this child"),
    Column("peak_memory", "int", "bytes", "peak memory of the training, -1 if unknown"),
    Column("device", "str", "", "device name, e.g. cpu or NVIDIA H100"),
    Column("devices", "float", "", "devices held (0.25 if four children share one)"),
    Column(
        "platform",
        "str",
        "",
        "processor and library versions of the training, which its last bits depend on; '' if no training finished",
    ),
    Column("cached_from", "str", "", "run id/index of the row whose scores this child reuses, or ''"),
    Column("duplicate", "bool", "", "whether an earlier proposal of the same run has the same hash"),
    Column("counted", "bool", "", "whether the child is within the budget, and the strategy received its outcome"),
    Column(
        "started_at", "str", "UTC ISO 8601", "start of the training; of a cached child, that of the original training"
    ),
    Column(
        "finished_at", "str", "UTC ISO 8601", "end of the training; of a cached child, that of the original training"
    ),
    Column(
        "stop_epoch",
        "int",
        "",
        "epoch up to which the strategy asked for the child; 0: all epochs of the protocol",
        since=5,
    ),
    Column(
        "from_epoch",
        "int",
        "",
        "epoch after which this child's training began, from the checkpoint of an earlier child; 0: at the first epoch",
        since=5,
    ),
    Column(
        "continues",
        "str",
        "",
        "run id/index of the earlier child whose training this one continues, or ''; charged are only the epochs after "
        "those of that child",
        since=5,
    ),
    Column(
        "usd_per_hour",
        "float",
        "USD",
        "price of a device-hour at which this child and the searcher's work for it were charged; NaN if none is known, and "
        "in files before schema 6",
        since=6,
    ),
)

# One value per completed epoch of each child, so lengths differ between children.
CURVES: tuple[Column, ...] = (
    Column("train_loss", "float", "nats", "running training loss"),
    Column("train_acc", "float", "fraction", "running training accuracy"),
    Column("val_loss", "float", "nats", "validation cross-entropy"),
    Column("val_acc", "float", "fraction", "validation accuracy"),
    Column("seconds", "float", "s", "seconds of the epoch, training and validation"),
)

RUN_COLUMNS: tuple[Column, ...] = (
    Column("run", "str", "", "id of the run: digest of its configuration, 12 hexadecimal digits"),
    _STRATEGY,
    _SPACE,
    *_PROTOCOL,
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
        "device-hours beside the budget: of children that it did not cover or that an interruption ended, and of the "
        "searcher's last work; NaN in files of schema 1 and 2, which do not have it",
    ),
    Column("usd", "float", "USD", "price of all charged hours"),
    Column("wall_seconds", "float", "s", "wall time over all attempts"),
    Column("started_at", "str", "UTC ISO 8601", "start of the run"),
    Column("finished_at", "str", "UTC ISO 8601", "end of the run, or ''"),
    Column("config", "str", "", "the whole configuration as JSON"),
    Column("provenance", "str", "", "versions, commit, host, processor, devices, threads and command line as JSON"),
)

# One row per measurement. An architecture may have any number of them: of several quantities, devices and methods.
MEASUREMENT_COLUMNS: tuple[Column, ...] = (
    Column("hash", "str", "", "hash of the architecture that was measured, 32 hexadecimal digits"),
    _SPACE,
    Column("choices", "str", "", "choices of the architecture, a JSON list of ints, or '' if unknown"),
    Column("quantity", "str", "", "what was measured, e.g. latency"),
    Column("unit", "str", "", "unit of value, low, high and spread, e.g. s; '' for a pure number"),
    Column("direction", "str", "", "values that are better: lower or higher"),
    Column("value", "float", "as in unit", "the measured value; of a latency, the median over its repetitions"),
    Column("low", "float", "as in unit", "5% quantile over the repetitions"),
    Column("high", "float", "as in unit", "95% quantile over the repetitions"),
    Column("spread", "float", "as in unit", "median absolute deviation from the median over the repetitions"),
    Column("n", "int", "", "repetitions, -1 if unknown"),
    Column(
        "outliers",
        "int",
        "",
        "repetitions farther from the quartiles than 1.5 times their distance, -1 if unknown; they are in all figures",
    ),
    Column("device", "str", "", "processor or GPU that was measured, by its name"),
    Column("method", "str", "", "how the network ran, e.g. eager, compile or onnxruntime"),
    Column("batch", "int", "", "images in one call, -1 if that does not apply"),
    Column("threads", "int", "", "threads of the computation, -1 if that does not apply"),
    Column("input", "str", "", "size of one image, channels x height x width, e.g. 3x32x32, or ''"),
    Column("scale", "str", "", "size of the network that was built, as JSON of `nasbench.structures.Scale`, or ''"),
    *_PROTOCOL,
    Column("seed", "int", "", "seed of the training whose result was measured, -1 if the value depends on no training"),
    Column("software", "str", "", "libraries that ran the network and their versions, e.g. torch 2.9.0"),
    Column("platform", "str", "", "processor, instruction sets and library versions, as children have them, or ''"),
    Column("details", "str", "", "further conditions as JSON, e.g. warm-up calls and the machine's load, or ''"),
    Column("source", "str", "", "command or publication that the value is from"),
    Column("measured_at", "str", "UTC ISO 8601", "time of the measurement, or ''"),
)
