"""SIGKILLs of whole commands at random moments: run --add-baseline, the pack of resume, export, replay, import and merge.

    python tests/faults/command_kills.py --kills 30

After every kill the results file is opened as any reader opens it: rows that were there stay, and no output is half written. Then
the same command is called again, which must end well and leave its result alone in the folder. Ends with a table, and with code 1
where a row was lost, a result differs from that of a command that was not killed, or the next call failed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from commands import nasbench
from kills import kill_within, seconds_of
from searching import stable_rows
from store_rows import child, run

from nasbench.errors import NasbenchError
from nasbench.outputs import LEFT_OVER_SECONDS
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import get_space
from nasbench.store.files import ResultsPaths
from nasbench.store.maintenance.checking import check_file
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter
from nasbench.tabular.surrogates.files import read_surrogate

TABLE = Path(__file__).parents[2] / "results" / "digits201.h5"
CELLS = 3000
SEARCH = ("run", "--space", "nasbench201", "--strategy", "evolution", "--budget", "6 children", "--executor", "inline")
SEARCH += ("--data", "fake:images=96,size=8,classes=3", "--set", "epochs=1", "--set", "filters=4", "--final", "none")


@dataclass
class Command:
    """A command to kill.

    Args:
        words: its words; OUT stands for its output.
        out: the name of its output.
        prepare: makes its inputs in a folder.
        old: text that is in the output before; "" for none.
        rows: whether an output .h5 is a results file, whose rows are compared; a surrogate's arrays are.
    """

    words: tuple[str, ...]
    out: str
    prepare: Callable[[Path], None] = lambda folder: None
    old: str = ""
    rows: bool = True


def _journal(folder: Path) -> None:
    """A complete run of 100 children in the file, and 400 more of it in the journal only."""
    with ResultsWriter(folder / "x.h5") as writer:
        writer.put_run(run(status="complete"))
        writer.append_children([child(number) for number in range(100)])
    writer = ResultsWriter(folder / "x.h5")
    for number in range(100, 500):
        writer.append_children([child(number)])
    writer._journal.close()  # as if it had been killed
    writer._lock.release()


def _children(folder: Path) -> None:
    with ResultsWriter(folder / "in.h5") as writer:
        writer.put_run(run(children=CELLS))
        writer.append_children([child(number) for number in range(CELLS)])


def _table(folder: Path) -> None:
    cells = [str([number // 5**place % 5 for place in range(6)]) for number in range(CELLS)]
    pd.DataFrame({"cell": cells, "score": 0.5}).to_csv(folder / "in.csv", index=False)


def _trained(folder: Path) -> None:
    space, rng = get_space("nasbench201"), np.random.default_rng(0)
    with ResultsWriter(folder / "in.h5") as writer:
        writer.put_run(
            run(space="nasbench201", children=200, config=json.dumps({"protocol": "digits", "space": "nasbench201"}))
        )
        for number in range(200):
            drawn = space.random(rng)
            counts = space.count_at(drawn, get_protocol("digits").scale(8, 1, 10))
            columns = {"hash": drawn.hash, "choices": str(list(drawn.choices)), "device_seconds": 1.0}
            columns |= {"params": counts.params, "mult_adds": counts.mult_adds}
            writer.append_children([child(number, space="nasbench201", **columns)])


IMPORT = ("import", "csv", "in.csv", "--space", "nasbench201", "--map", "architecture=cell", "--map", "val_acc=score")
COMMANDS = {
    "run --add-baseline": Command((*SEARCH, "--add-baseline", "-o", "OUT"), "x.h5"),
    "resume (a pack)": Command(("resume", "OUT"), "x.h5", _journal),
    "export": Command(("export", "in.h5", "-o", "OUT"), "out.csv", _children, "export"),
    "merge": Command(("merge", "in.h5", "-o", "OUT"), "x.h5", _children),
    "import csv": Command((*IMPORT, "--set", "data=cifar10", "--set", "protocol=theirs", "-o", "OUT"), "x.h5", _table),
    "surrogate fit": Command(("surrogate", "fit", "in.h5", "--folds", "2", "-o", "OUT"), "s.h5", _trained, rows=False),
    "replay": Command(
        (
            "replay",
            "--table",
            str(TABLE),
            "--strategy",
            "random",
            "--seeds",
            "20",
            "--budget",
            "100 children",
            "-o",
            "OUT",
        ),
        "x.h5",
    ),
}


@dataclass
class Tally:
    """What the kills of one command came to."""

    command: str
    kills: int = 0
    in_time: int = 0
    rows: int = 0
    lost: int = 0
    wrong: int = 0
    left: dict[str, int] = field(default_factory=dict)
    stayed: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def call(words: tuple[str, ...], folder: Path, _acknowledge: Callable[[], None]) -> None:
    """Run a command; what it ends with is looked at later."""
    nasbench(*words, cwd=folder)


def content(path: Path, rows: bool = True) -> object:
    """What an output holds, without times: rows, arrays, or bytes; None without a file."""
    if path.suffix != ".h5":
        return path.read_bytes() if path.exists() else None
    if not rows:
        return arrays(path) if path.exists() else None
    paths = ResultsPaths.of(path)
    if not paths.h5.exists() and not paths.journal.exists():
        return None
    with Results(path) as results:
        return stable_rows(path) if len(results) else []


def arrays(path: Path) -> object:
    """The datasets of a surrogate without `about`, which has the time; what is wrong with a file that cannot be read."""
    try:
        read_surrogate(path)
        with h5py.File(path) as file:
            return {name: item[()].tobytes() for name, item in everything(file) if name != "about"}
    except (NasbenchError, OSError) as error:
        return str(error)


def everything(file: h5py.File) -> list[tuple[str, h5py.Dataset]]:
    found: list[tuple[str, h5py.Dataset]] = []
    file.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    return found


def named(path: Path, out: str) -> str:
    """The kind of a file that is left, without what differs from kill to kill."""
    if path.name.startswith(".nasbench-"):
        return "*.writing"
    return path.name.replace(out.removesuffix(".h5"), "*") if ".lock." not in path.name else "*.lock.*"


def kill_one(command: Command, folder: Path, seconds: float, right: object, tally: Tally) -> None:
    """Kill a command once, look at what is there, and call it again."""
    command.prepare(folder)
    out = folder / command.out
    if command.old:
        nasbench(*words_of(command), cwd=folder)
    before, inputs = content(out, command.rows), {path.name for path in folder.iterdir()} - {command.out}
    done = kill_within(partial(call, words_of(command), folder), seconds)
    tally.kills += 1
    tally.in_time += done.killed
    found = content(out, command.rows)
    if isinstance(found, list):
        tally.rows += len(found)
        there = before if isinstance(before, list) else []
        tally.lost += sum(row not in found for row in there)
        tally.wrong += not all(row in right for row in found) if isinstance(right, list) else 0
    elif found not in (before, right):
        tally.wrong += 1
    for path in folder.iterdir():
        if path.name not in inputs | {command.out}:
            tally.left[named(path, command.out)] = tally.left.get(named(path, command.out), 0) + 1
            if path.suffix == ".writing":
                os.utime(path, (time.time() - 2 * LEFT_OVER_SECONDS,) * 2)  # a younger one may be of another machine
    again = nasbench(*words_of(command), cwd=folder)
    if again.code and not (found == right and "is there already, whole, " in again.err):
        why = again.err.strip().split("\n")[-1].replace(str(folder), "")
        tally.refused[why] = tally.refused.get(why, 0) + 1
    ended = content(out, command.rows)
    if isinstance(found, list) and isinstance(ended, list):
        tally.lost += sum(row not in ended for row in found)
    tally.wrong += ended != right or (out.suffix == ".h5" and command.rows and not check_file(out).sound)
    for path in folder.iterdir():
        if path.name not in inputs - {"x.journal"} | {command.out}:
            tally.stayed[named(path, command.out)] = tally.stayed.get(named(path, command.out), 0) + 1


def words_of(command: Command) -> tuple[str, ...]:
    return tuple(command.out if word == "OUT" else word for word in command.words)


def kill(name: str, kills: int, seed: int = 0) -> Tally:
    """Kill a command so many times, each at a moment of its own."""
    command, tally, rng = COMMANDS[name], Tally(name), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="nasbench-kills-") as folder:
        whole = Path(folder)
        command.prepare(whole)
        nasbench(*words_of(command), cwd=whole)  # imports what it needs, before it is timed
        right = content(whole / command.out, command.rows)
    assert right is not None, f"{name} makes nothing"
    with tempfile.TemporaryDirectory(prefix="nasbench-kills-") as folder:
        command.prepare(Path(folder))
        tally.seconds = seconds_of(partial(call, words_of(command), Path(folder)))
    for _ in range(kills):
        with tempfile.TemporaryDirectory(prefix="nasbench-kills-") as folder:
            kill_one(command, Path(folder), rng.uniform(0.0, tally.seconds), right, tally)
    return tally


def line_of(tally: Tally) -> str:
    def counts(found: dict[str, int]) -> str:
        return ", ".join(f"{count} {name}" for name, count in sorted(found.items())) or "none"

    return (
        f"| {tally.command} | {tally.kills} | {tally.in_time} | {tally.rows} | {tally.lost} | {tally.wrong} "
        f"| {counts(tally.left)} | {counts(tally.stayed)} | {counts(tally.refused)} |"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=30, help="of each command")
    parser.add_argument("commands", nargs="*", default=list(COMMANDS))
    given = parser.parse_args()
    print(
        "| command | kills | before its end | rows read | lost | wrong | left by the kill | after the next call | refused |"
    )
    print("|---|---:|---:|---:|---:|---:|---|---|---|")
    clean = True
    for name in given.commands:
        tally = kill(name, given.kills)
        print(line_of(tally), flush=True)
        clean = clean and not (tally.lost or tally.wrong or tally.stayed or tally.refused)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
