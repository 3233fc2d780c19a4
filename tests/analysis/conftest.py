"""Made-up results with the columns of the store, for the tests of the analyses."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from nasbench.store.format.schema import CHILD_COLUMNS, LEDGER_CATEGORIES, RUN_COLUMNS

SKILL = {"random": 0.0, "reinforce": 0.02, "ppo": 0.035}
_DEFAULTS = {"int": 0, "float": float("nan"), "bool": False, "str": ""}
_DTYPES = {"int": "int64", "float": "float64", "bool": "bool", "str": "str"}


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """What makes frames: `make.frames(...)` whole searches, `make.children([...])` and `make.runs([...])` single rows."""
    return SimpleNamespace(
        frames=frames,
        children=lambda rows: typed([child(**row) for row in rows], CHILD_COLUMNS),
        runs=lambda rows: typed([run(**row) for row in rows], RUN_COLUMNS),
    )


@pytest.fixture(autouse=True)
def no_warnings(recwarn):
    """No analysis may warn: a warning is a case that nobody thought of.

    A file that an earlier test left open is closed, with a warning, whenever the garbage collector comes by.
    """
    yield
    assert not [str(each.message) for each in recwarn.list if not issubclass(each.category, ResourceWarning)]


def typed(rows: list[dict], columns) -> pd.DataFrame:
    """A frame with exactly the columns of the schema, of its types; what a row lacks is the schema's missing value."""
    names = [column.name for column in columns]
    unknown = {name for row in rows for name in row} - set(names)
    assert not unknown, f"not in the schema: {unknown}"
    data = {
        column.name: pd.Series(
            [row.get(column.name, _DEFAULTS[column.type]) for row in rows], dtype=_DTYPES[column.type]
        )
        for column in columns
    }
    return pd.DataFrame(data)


def child(**values) -> dict:
    """One child of a run, with the fields that every analysis reads."""
    return {
        "stage": "search",
        "space": "nasnet:blocks=3",
        "protocol": "digits",
        "fingerprint": "f00d" * 4,
        "data": "digits",
        "status": "ok",
        "device": "cpu",
        "devices": 1.0,
        "counted": True,
        **values,
    }


def run(**values) -> dict:
    """One run, with the fields that every analysis reads."""
    hours = {f"{category}_hours": 0.0 for category in LEDGER_CATEGORIES}
    return {
        "space": "nasnet:blocks=3",
        "protocol": "digits",
        "fingerprint": "f00d" * 4,
        "data": "digits",
        "data_digest": "0123456789abcdef",
        "budget": "40 children",
        "status": "complete",
        "usd": 0.0,
        **hours,
        **values,
    }


def frames(
    strategies=("random", "reinforce", "ppo"), seeds=3, children=40, epochs=8, retrained=1, failure=0.05, seed=7
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Children, runs and long curves of made-up searches.

    Skill grows with the children told; a share of the children fails; the best `retrained` hashes of a run are tested.
    """
    rng = np.random.default_rng(seed)
    rows, runs, curves = [], [], []
    for strategy in strategies:
        for run_seed in range(seeds):
            name = hashlib.blake2b(f"{strategy}{run_seed}".encode(), digest_size=6).hexdigest()
            found = _search(rng, name, strategy, run_seed, children, failure, epochs, curves)
            final = _final(rng, found, retrained)
            rows += found + final
            training = sum(row["gpu_hours"] for row in found if row["status"] == "ok")
            failed = sum(row["gpu_hours"] for row in found if row["status"] != "ok")
            hours = {
                "training_hours": 0.85 * training,
                "evaluation_hours": 0.15 * training,
                "failed_hours": failed,
                "searcher_hours": sum(row["searcher_seconds"] for row in found) / 3600,
                "final_hours": sum(row["gpu_hours"] for row in final),
            }
            runs.append(
                run(
                    run=name,
                    strategy=strategy,
                    seed=run_seed,
                    children=len(found),
                    usd=0.2 * sum(hours.values()),
                    budget=f"{children} children",
                    wall_seconds=found[-1]["wall_seconds"] if found else 0.0,
                    **hours,
                )
            )
    long = pd.DataFrame(
        curves,
        columns=["run", "stage", "index", "epoch", "train_loss", "train_acc", "val_loss", "val_acc", "seconds"],
    )
    return typed(rows, CHILD_COLUMNS), typed(runs, RUN_COLUMNS), long


def _search(rng, name, strategy, run_seed, children, failure, epochs, curves):
    rows, spent, seen = [], 0.0, set()
    for index in range(children):
        params = int(10 ** (round(300 * rng.uniform(4.2, 6.2)) / 300))  # one of about 600 architectures, which repeat
        seconds = 4 + 10 * (params / 1e6) ** 0.5 + rng.exponential(1)
        searcher = 0.01 if strategy == "random" else 0.8
        spent += (seconds + searcher) / 3600
        quality = 0.80 + 0.03 * np.log10(params / 1e4) + SKILL.get(strategy, 0.01) * index / children
        acc = float(np.clip(quality + rng.normal(0, 0.025), 0.1, 0.995))
        ok = rng.random() >= failure
        code = hashlib.blake2b(f"{params}".encode(), digest_size=16).hexdigest()
        rows.append(
            child(
                run=name,
                index=index,
                strategy=strategy,
                run_seed=run_seed,
                hash=code,
                status="ok" if ok else "diverged",
                val_acc=acc if ok else float("nan"),
                params=params if ok else 0,
                mult_adds=params * (60 + params % 81) if ok else 0,
                epochs=epochs,
                gpu_hours=seconds / 3600,
                usd=0.2 * seconds / 3600,
                searcher_seconds=searcher,
                spent_gpu_hours=spent,
                wall_seconds=spent * 1800,
                duplicate=code in seen,
            )
        )
        seen.add(code)
        if ok:
            for epoch in range(1, epochs + 1):
                curve = acc * (1 - 0.6 * np.exp(-epoch / 2)) + rng.normal(0, 0.006) * (epoch < epochs)
                curves.append((name, "search", index, epoch, 1.0, curve, 1.0, float(curve), seconds / epochs))
    return rows


def _final(rng, found, retrained):
    scored = sorted((row for row in found if row["status"] == "ok"), key=lambda row: -row["val_acc"])
    return [
        {
            **row,
            "stage": "final",
            "index": index,
            "test_acc": row["val_acc"] - 0.01 + rng.normal(0, 0.003),
            "gpu_hours": 4 * row["gpu_hours"],
            "usd": 4 * row["usd"],
        }
        for index, row in enumerate(scored[:retrained])
    ]
