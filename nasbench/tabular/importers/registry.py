"""The importers by name. Every one of them must pass `tests/importing/test_importers_conform.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nasbench.registry import Registry
from nasbench.tabular.importers.importer_base import Imported

_HERE: Final = "nasbench.tabular.importers"

IMPORTERS: Registry[Callable[..., Imported]] = Registry(
    "importer",
    "nasbench.importers",
    {
        "accel-nasbench": f"{_HERE}.accel_nasbench:import_accel_nasbench",
        "csv": f"{_HERE}.csv_parquet:import_tabular",
        "hw-latency": f"{_HERE}.hw_latency:import_latencies",
        "json": f"{_HERE}.csv_parquet:import_tabular",
        "nasbench101": f"{_HERE}.nasbench101:import_nasbench101",
        "nasbench-macro": f"{_HERE}.nasbench_macro:import_nasbench_macro",
        "nasbench201-archive": f"{_HERE}.nasbench201_archive:import_archive",
        "nats-bench": f"{_HERE}.nats_records:import_records",
        "nats-bench-pickle": f"{_HERE}.nats_pickles:import_pickles",
        "optuna": f"{_HERE}.optuna_studies:import_optuna",
        "parquet": f"{_HERE}.csv_parquet:import_tabular",
        "suite-zero": f"{_HERE}.suite_zero:import_suite_zero",
        "synetune": f"{_HERE}.synetune:import_synetune",
        "transnas": f"{_HERE}.transnas:import_transnas",
    },
)
"""Name -> function of the path of the source and of the new results file, which returns what it imported.

Each is decorated with `about.describes`, which is what `nasbench import --list` prints.
"""
