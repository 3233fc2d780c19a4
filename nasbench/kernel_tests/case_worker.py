"""Worker program of the self-test: `python -m nasbench.kernel_tests.case_worker`.

Each input line is a batch, {"cases": [...]}. A forked child process runs the cases, so a crash ends only the child. The
output lines are {"hello": {...}} at the start; {"started": i} and {"done": i, ...} for each case; and {"ended": status}
after each batch, with 0 or minus the signal that ended the child. On systems other than Linux there is no fork: the
cases run in this process, and a crash ends it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from typing import IO, Any, Final

CAN_FORK: Final = sys.platform == "linux"  # on other systems, libraries that are loaded do not work after a fork


def main() -> None:
    """Run batches until the input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # output that a library prints must not mix with the replies
    import torch

    import nasbench.kernel_tests.case_check  # noqa: F401 - imported before the first fork, once for all children

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.set_deterministic_debug_mode("error")  # as in training
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if os.environ.get(PORTABLE):
        torch._C._set_mkldnn_enabled(False)
        torch._C._set_nnpack_enabled(False)
    _say(replies, {"hello": _hello()})
    gc.collect()
    gc.freeze()  # otherwise each collection, one per case, would visit all objects of torch's modules
    for line in sys.stdin:
        cases = json.loads(line)["cases"]
        ended = _forked(lambda: _run(cases, replies)) if CAN_FORK else _run(cases, replies)  # noqa: B023
        _say(replies, {"ended": ended})


PORTABLE: Final = (
    "NASBENCH_SELFTEST_PORTABLE"  # environment variable; if set, the worker uses neither oneDNN nor NNPACK
)


def _say(replies: IO[str], message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


def _run(cases: list[str], replies: IO[str]) -> int:
    """Run cases and report each."""
    from nasbench.kernel_tests.case_check import check_case
    from nasbench.kernel_tests.cases import Case

    for index, text in enumerate(cases):
        _say(replies, {"started": index})
        outcome = check_case(Case.from_json(text))
        gc.collect()  # frees all blocks of memory, and the allocator checks their ends
        finding = outcome.finding._asdict() if outcome.finding is not None else None
        _say(replies, {"done": index, "distance": outcome.distance, "finding": finding})
    return 0


def _forked(work: Callable[[], int]) -> int:
    """Run a function in a forked child; return its exit status, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = work()
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _hello() -> dict[str, Any]:
    import torch

    return {
        "torch": torch.__version__,
        "onednn": _onednn_version(),
        "isa": _onednn_isa(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "checked": CAN_FORK and _notices_overruns(),
    }


def _onednn_version() -> str:
    import torch

    found = re.search(r"(?:oneDNN|MKL-DNN) v([\d.]+)", torch.__config__.show())
    return found.group(1) if found else ""


def _onednn_isa() -> str:
    """Return oneDNN's description of its instruction sets, from a forked child; "" if it reports none."""
    import torch

    if not CAN_FORK or not torch._C._has_mkldnn or os.environ.get(PORTABLE):
        return ""
    with tempfile.TemporaryFile("w+") as said:

        def convolve() -> int:
            os.dup2(said.fileno(), 1)
            os.environ["ONEDNN_VERBOSE"] = "1"
            torch.nn.functional.conv2d(torch.ones(4, 16, 16, 16), torch.ones(16, 16, 3, 3))
            ctypes.CDLL(None).fflush(None)
            return 0

        _forked(convolve)
        said.seek(0)
        found = re.search(r"cpu,isa:(.*)", said.read())
    return found.group(1).strip() if found else ""


def _notices_overruns() -> bool:
    """Return True if the C library's allocator ends a forked child that writes one byte past a tensor."""
    import torch

    def overrun() -> int:
        with open(os.devnull, "w") as nowhere:  # hides the expected error message
            os.dup2(nowhere.fileno(), 2)
        tensor = torch.zeros(25)
        # Blocks of memory are multiples of 16 bytes, so no other object uses this byte.
        beyond = ctypes.c_ubyte.from_address(tensor.data_ptr() + tensor.nbytes)
        beyond.value ^= 0xFF
        del tensor
        return 0

    return _forked(overrun) < 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
