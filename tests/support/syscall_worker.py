"""Appends and packs under the preloaded library of syscalls.c; one process of its own for each order.

Started by `syscalls.Worker`. An order is a line of JSON on stdin, its answer one on stdout. Many faults leave the same files, to the byte;
such files are read and written on only the first time.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import traceback
from hashlib import blake2b
from pathlib import Path
from typing import Any

from store_rows import child, expected, stored

from nasbench.errors import NasbenchError
from nasbench.store.errors import StoreError
from nasbench.store.files import ResultsPaths
from nasbench.store.lock import ResultsLock
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter

FIRST, LAST, WHOLE = 5, 11, 12
PACK_AFTER = 7
TOGETHER = [[5], [6], [7], [8], [9, 10]]  # what is appended at once

library = ctypes.CDLL(os.environ["LD_PRELOAD"])
library.nasbench_calls.restype = ctypes.c_char_p


def work(path: Path, acknowledged: list[int]) -> None:
    """Append, pack, append, close; note what was acknowledged, and try each failed append once more."""
    with ResultsWriter(path) as writer:
        for numbers in TOGETHER:
            children = [child(number) for number in numbers]
            try:
                writer.append_children(children)
            except StoreError:
                writer.append_children(children)
            acknowledged += numbers
            library.nasbench_acknowledge(numbers[-1] + 1)
            if numbers[-1] == PACK_AFTER:
                writer.pack()


def state_of(path: Path) -> str:
    """A digest of the files as a writer left them; its own lock, and what it left of drafts of one, is all the same."""
    digest, lock = blake2b(), ResultsPaths.of(path).lock.name
    for file in sorted(path.parent.iterdir()):
        name, data = file.name, file.read_bytes()
        if name.startswith(lock) and (not data or f'"pid": {os.getpid()},'.encode() in data):
            name, data = lock if name == lock else "draft", b"mine" if data else b""
        digest.update(f"{name} {len(data)} ".encode() + data)
    return digest.hexdigest()


def look(path: Path, count: int) -> dict[str, Any]:
    """Whether the rows are those that were written, and again after the rest was appended."""
    kept = stored(path) == expected(count)
    with ResultsWriter(path) as writer:
        for number in range(count, WHOLE):
            writer.append_child(*child(number))
    files = sorted(file.name for file in path.parent.iterdir())
    return {"kept": kept, "resumed": stored(path) == expected(WHOLE), "files": files}


def under_faults(order: dict[str, Any], looked: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Do the work with the ordered fault, repair it, and look at what is there, and again after the rest was written."""
    folder = Path(order["folder"])
    path, acknowledged = folder / "x.h5", []
    if order["trace"]:
        library.nasbench_trace(os.open(order["trace"], os.O_WRONLY | os.O_CREAT, 0o600))
    answer: dict[str, Any] = {"error": "", "unnamed": "", "directory": os.stat(folder).st_ino}
    library.nasbench_arm(os.fsencode(folder), order["nth"], order["code"], order["lasting"])
    try:
        work(path, acknowledged)
    except NasbenchError as error:
        answer["error"], answer["message"] = type(error).__name__, str(error)
    except Exception:
        answer["unnamed"] = traceback.format_exc()
    library.nasbench_disarm()
    library.nasbench_trace(-1)
    answer |= {"calls": library.nasbench_calls().decode(), "failures": library.nasbench_failures()}
    answer["state"] = state = state_of(path)
    if state in looked:
        answer["found"], answer["seen before"] = looked[state], True
        ResultsLock(ResultsPaths.of(path)).release()
    else:
        with Results(path) as results:
            count = len(results)
        answer["found"], answer["seen before"] = {"count": count} | look(path, count), False
    found = answer["found"]
    answer |= {"kept": found["kept"] and found["count"] >= FIRST + len(acknowledged)}
    answer |= {"resumed": found["resumed"], "files": found["files"]}
    return answer


def in_a_process(order: dict[str, Any], looked: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Do the order in a forked process, so that nothing of one fault is left for the next."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            answer = under_faults(order, looked)
        except BaseException:
            answer = {"crashed": traceback.format_exc()}
        with open(writing, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    told: dict[str, Any] = json.loads(text)
    return told


def main() -> None:
    looked: dict[str, dict[str, Any]] = {}
    for line in sys.stdin:
        answer = in_a_process(json.loads(line), looked)
        if "state" in answer:
            looked[answer["state"]] = answer["found"]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
