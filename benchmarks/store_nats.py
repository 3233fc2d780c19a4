"""The same trainings in a results file and in NATS-Bench's two layouts, each read by its own reader: nats_bench (PyPI), the real package.

15,625 cells of NAS-Bench-201, three seeds each, with the curves of training and validation; what NATS-Bench keeps besides is left out.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from record import Measurement
from store_content import made_up

from nasbench.spaces.nasbench201 import NasBench201Space
from nasbench.store.format.columns import Text
from nasbench.store.maintenance.table_builder import Tables, write_new
from nasbench.store.query import Results

SEEDS: Final = (777, 888, 999)
HP, DATASET, FINGERPRINT = "12", "cifar10-valid", "20b936add43c15a0"
REPEATS = 3
ACCURACIES: Final = ["hash", "seed", "val_acc"]


def content() -> tuple[Tables, list[str], list[str]]:
    """The tables, each cell's official string and its hash."""
    space = NasBench201Space()
    cells = list(space.enumerate())
    names, hashes = [str(cell) for cell in cells], [cell.hash for cell in cells]
    count = len(cells) * len(SEEDS)
    tables = made_up(count)
    cell = np.repeat(np.arange(len(cells)), len(SEEDS))
    changed = {
        "hash": Text(cell, hashes),
        "choices": Text(cell, [str(list(architecture.choices)) for architecture in cells]),
        "space": Text(np.zeros(count, dtype=np.int64), ["nasbench201"]),
        "seed": np.tile(np.array(SEEDS, dtype="<i8"), len(cells)),
        "params": tables.children["params"][:: len(SEEDS)].repeat(len(SEEDS)),  # type: ignore[union-attr]
    }
    return replace(tables, children={**tables.children, **changed}), names, hashes


def write_nats(folder: Path, tables: Tables, names: list[str]) -> None:
    """Both layouts, by the package's own classes and its own way of saving."""
    from nats_bench.api_utils import PICKLE_EXT, ArchResults, ResultsCount, pickle_save

    simple = folder / "simple"
    simple.mkdir(parents=True, exist_ok=True)
    starts = np.concatenate([[0], np.cumsum(tables.lengths)]).tolist()
    curves = {name: values.tolist() for name, values in tables.curves.items()}
    params, mult_adds = (tables.children[name].tolist() for name in ("params", "mult_adds"))  # type: ignore[union-attr]
    everything = {}
    for index, name in enumerate(names):
        info = ArchResults(index, name)
        for place, seed in enumerate(SEEDS, start=len(SEEDS) * index):
            epochs = range(starts[place], starts[place + 1])
            train = {
                curve: {epoch: curves[curve][at] for epoch, at in enumerate(epochs)}
                for curve in ("train_acc", "train_loss", "seconds")
            }
            valid = {
                curve: {f"x-valid@{epoch}": curves[curve][at] for epoch, at in enumerate(epochs)}
                for curve in ("val_acc", "val_loss")
            }
            state = {
                "name": "infer.tiny",
                "net_state_dict": None,
                "train_acc1es": train["train_acc"],
                "train_acc5es": None,
                "train_losses": train["train_loss"],
                "train_times": train["seconds"],
                "arch_config": {"channel": 16, "num_cells": 5, "arch_str": name, "class_num": 10},
                "params": params[place] / 1e6,
                "flop": mult_adds[place] / 1e6,
                "seed": seed,
                "epochs": len(epochs),
                "latency": [],
                "eval_names": ["x-valid"],
                "eval_acc1es": valid["val_acc"],
                "eval_losses": valid["val_loss"],
                "eval_times": {},
            }
            info.update(DATASET, seed, ResultsCount.create_from_state_dict(state))
        everything[index] = OrderedDict({HP: info.state_dict()})
        pickle_save(everything[index], simple / f"{index:06d}.{PICKLE_EXT.removesuffix('.pbz2')}")
    pickle_save({"meta_archs": names}, simple / "meta.pickle")
    whole = {"meta_archs": names, "arch2infos": everything, "evaluated_indexes": list(range(len(names)))}
    pickle_save(whole, folder / "whole.pickle")


def measure(folder: Path) -> list[Measurement]:
    """Open, look one cell up, read all accuracies: processor seconds, in turns, medians of three."""
    from nats_bench import NATStopology

    tables, names, hashes = content()
    often = Counter(hashes)
    asked = max(index for index, found in enumerate(hashes) if often[found] == 1)  # a cell with no isomorphic one
    h5, nats = folder / "nats.h5", folder / "nats"
    if not (h5.exists() and (nats / "whole.pickle.pbz2").exists()):
        h5.unlink(missing_ok=True)
        write_new(str(h5), tables)
        write_nats(nats, tables, names)

    def opened(layout: str) -> Any:
        path = nats / ("simple" if layout == "simple" else "whole.pickle.pbz2")
        return NATStopology(str(path), fast_mode=layout == "simple", verbose=False)

    def accuracy(api: Any, cell: int, seed: int) -> float:
        return float(api.get_more_info(cell, DATASET, hp=HP, is_random=seed)["valid-accuracy"])

    def our_one() -> float:
        with Results(str(h5)) as results:
            row = results.lookup(hashes[asked], FINGERPRINT, SEEDS[1])
            assert row is not None
            return float(row["val_acc"])

    def our_all() -> list[float]:
        with Results(str(h5)) as results:
            return list(results.frame(ACCURACIES)["val_acc"])

    def their_all(layout: str) -> list[float]:
        api = opened(layout)
        return [accuracy(api, cell, seed) for cell in range(len(names)) for seed in SEEDS]

    rows = f"{len(hashes) * len(SEEDS):,} rows"
    measured = []
    for layout, against in (
        ("whole", "nats_bench 1.8, one file"),
        ("simple", "nats_bench 1.8, a file a cell (fast mode)"),
    ):
        tasks: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
            f"opening, {rows}": (lambda: Results(str(h5)).close(), lambda layout=layout: opened(layout) and None),
            f"opening and one lookup, {rows}": (
                our_one,
                lambda layout=layout: accuracy(opened(layout), asked, SEEDS[1]),
            ),
            f"opening and all accuracies, {rows}": (our_all, lambda layout=layout: their_all(layout)),
        }
        for what, (ours, theirs) in tasks.items():
            seconds: tuple[list[float], list[float]] = ([], [])
            for _ in range(REPEATS):
                answers = []
                for spent, task in zip(seconds, (ours, theirs)):
                    start = time.process_time()
                    answers.append(task())
                    spent.append(time.process_time() - start)
                if answers[0] != answers[1]:
                    raise SystemExit(f"{what}: {against} answers otherwise")
            mine, others = median(seconds[0]), median(seconds[1])
            measured.append(Measurement(what, others / mine, against, mine, others, "CPU s"))
        size = sum(file.stat().st_size for file in nats.glob("whole*" if layout == "whole" else "simple/*")) / 1e6
        mine = h5.stat().st_size / 1e6
        measured.append(Measurement(f"size, {rows}", size / mine, against, mine, size, "MB"))
    return measured
