"""Appends and packs under the preloaded library of syscalls.c; one process of its own for each order.

Started by `syscalls.Worker`. An order is a line of JSON on stdin, its answer one on stdout.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from store_rows import child, expected, stored

from nasbench.errors import NasbenchError
from nasbench.store.errors import StoreError
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


def under_faults(order: dict[str, Any]) -> dict[str, Any]:
    """Do the work with the ordered fault, mend it, and look at what is there, and again after the rest was written."""
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
    count = len(stored(path))
    answer["kept"] = count >= FIRST + len(acknowledged) and stored(path) == expected(count)
    with ResultsWriter(path) as writer:
        for number in range(count, WHOLE):
            writer.append_child(*child(number))
    answer["resumed"] = stored(path) == expected(WHOLE)
    answer["files"] = sorted(file.name for file in folder.iterdir())
    return answer


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            continue
        try:
            answer = under_faults(json.loads(line))
        except BaseException:
            answer = {"crashed": traceback.format_exc()}
        os.write(sys.stdout.fileno(), json.dumps(answer).encode() + b"\n")
        os._exit(0)


if __name__ == "__main__":
    main()
