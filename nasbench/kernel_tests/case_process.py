"""Worker processes of the self-test, with chosen kernels and a checking allocator; they are restarted when they die."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from nasbench.errors import NasbenchError
from nasbench.kernel_tests.case_worker import PORTABLE
from nasbench.kernel_tests.cases import Case
from nasbench.kernels.portable import SETTINGS
from nasbench.kernels.processor import processor_here

FaultKind = Literal["crash", "hang", "wrong values", "not repeatable"]

ISAS: Final[Mapping[str, Mapping[str, str]]] = {
    "SSE41": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default"},
    "AVX": {"ONEDNN_MAX_CPU_ISA": "AVX", "ATEN_CPU_CAPABILITY": "default"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    "AVX512_CORE": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "ATEN_CPU_CAPABILITY": "avx512"},
    "default": {},
    "portable": {**SETTINGS, PORTABLE: "1"},
}
"""Kernels that a self-test can test -> their environment variables. The name of an instruction set limits oneDNN and
torch to it, as on a processor that has no more; "default" uses all that this processor has; "portable" tests portable
kernels."""

CASE_SECONDS: Final = 120.0  # after which a case is considered to hang
START_SECONDS: Final = 300.0  # in which a worker must start
# Flags that torch's kernels of an instruction set need; a processor without them would crash.
_NEEDS: Final[Mapping[str, frozenset[str]]] = {
    "avx2": frozenset({"avx2", "fma"}),
    "avx512": frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq"}),
}
WORKER: Final = (sys.executable, "-m", "nasbench.kernel_tests.case_worker")
_CHOOSING: Final = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_CBWR", PORTABLE)
_ALLOCATOR: Final = "libc_malloc_debug.so.0"
_TUNABLES: Final = "glibc.malloc.check=3:glibc.malloc.perturb=128"  # abort at an overrun; fill new memory with 3.4e38


@dataclass(frozen=True)
class Fault:
    """A fault of this machine's kernels.

    Args:
        case: the case that showed it.
        isa: requested instruction sets, a key of `ISAS`, or "" for those of this process's environment.
        kind: "crash" (also a buffer overrun that the allocator detected), "hang", "wrong values" or "not repeatable".
        where: the output or gradient with the fault; for a crash the signal.
        distance: largest difference, as a share of the largest expected value; NaN for a crash or hang.
        detail: last line of the process's standard error; "" for none.
    """

    case: Case
    isa: str
    kind: FaultKind
    where: str = ""
    distance: float = math.nan
    detail: str = ""

    def __str__(self) -> str:
        far = "" if math.isnan(self.distance) else f" off by {self.distance:.1e}"
        words = f" ({self.detail})" if self.detail else ""
        return f"{self.isa or 'this process'}: {self.kind} in {self.case}: {self.where}{far}{words}"


class SelfTestError(NasbenchError):
    """Raised when a worker process does not start; the message has the last line of its standard error."""


def environment(isa: str, threads: int = 1) -> dict[str, str]:
    """Return the environment variables of a worker process: chosen kernels and the checking allocator.

    Args:
        isa: a key of `ISAS`; "" for the kernels that this process's environment chooses.
        threads: threads of the process, >= 1.

    Returns:
        All environment variables.
    """
    result = dict(os.environ)
    if isa:
        for name in _CHOOSING:
            result.pop(name, None)
        result |= ISAS[isa]
        if not _NEEDS.get(result.get("ATEN_CPU_CAPABILITY", ""), frozenset()) <= processor_here().flags:
            del result["ATEN_CPU_CAPABILITY"]
    result |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    result["OPENBLAS_NUM_THREADS"] = "1"  # otherwise numpy would start threads at its import, before the fork
    if sys.platform == "linux":  # C libraries other than glibc ignore both variables
        result |= {"GLIBC_TUNABLES": _TUNABLES, "LD_PRELOAD": _ALLOCATOR}
    return result


class CaseProcess:
    """Context manager of a worker process, which is restarted when it dies.

    Args:
        isa: a key of `ISAS`; "" for the kernels that this process's environment chooses.
        threads: threads of the process, >= 1.
        command: command that starts a program with the input and output of `nasbench.kernel_tests.case_worker`.

    Raises:
        SelfTestError: when the process does not start.
    """

    def __init__(self, isa: str, threads: int, command: Sequence[str] = WORKER) -> None:
        self._isa, self._threads, self._command = isa, threads, command
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self._process: subprocess.Popen[bytes]
        self._read = b""
        self.hello: dict[str, Any] = {}

    def __enter__(self) -> CaseProcess:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._words.close()

    def run(self, cases: list[Case]) -> tuple[list[Fault], float]:
        """Run cases.

        Args:
            cases: the cases, in order.

        Returns:
            The faults, and the largest difference of float32 cases without a fault from their definition, as a share of
            the largest expected value.

        Raises:
            SelfTestError: when the process dies and does not start again.
        """
        faults: list[Fault] = []
        worst = 0.0
        left = cases
        while left:
            found, distance, done, death = self._run_batch(left)
            faults += found
            worst = max(worst, distance)
            if death is None:
                break
            faults += self._blame(left[: done + 1], death)
            left = left[done + 1 :]
        return faults, worst

    def _blame(self, cases: list[Case], death: Fault) -> list[Fault]:
        """Run each case of a process that died by itself; return the faults of those that end a process."""
        if len(cases) == 1:
            return [death]
        guilty = [alone for alone in (self._run_batch([case])[3] for case in reversed(cases)) if alone is not None]
        if guilty:
            return guilty
        return [replace(death, detail=f"{death.detail}; only after the {len(cases) - 1} cases before it".lstrip("; "))]

    def _run_batch(self, cases: list[Case]) -> tuple[list[Fault], float, int, Fault | None]:
        """Run cases in one child.

        Returns:
            Faults; the largest difference of cases without one; the index of the last case; and, if that case ended the
            child, its fault.
        """
        assert self._process.stdin is not None
        self._words.seek(0)
        self._words.truncate()
        self._process.stdin.write(json.dumps({"cases": [case.to_json() for case in cases]}).encode() + b"\n")
        self._process.stdin.flush()
        faults: list[Fault] = []
        worst, current = 0.0, 0
        while True:
            try:
                reply = self._reply(CASE_SECONDS)
            except TimeoutError:
                self._restart()
                return faults, worst, current, Fault(cases[current], self._isa, "hang", f"after {CASE_SECONDS:.0f} s")
            if reply is None:  # the worker itself has ended
                status = self._process.wait()
                death = self._death(cases[current], status)
                self._restart()
                return faults, worst, current, death
            if "started" in reply:
                current = reply["started"]
            elif "done" in reply:
                finding = reply["finding"]
                if finding is not None:
                    faults.append(Fault(cases[current], self._isa, **finding))
                elif cases[current].precision == "float32":
                    worst = max(worst, reply["distance"])
            elif reply["ended"] != 0:
                return faults, worst, current, self._death(cases[current], reply["ended"])
            else:
                return faults, worst, current, None

    def _death(self, case: Case, status: int) -> Fault:
        where = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return Fault(case, self._isa, "crash", where, detail=self._last_words())

    def _last_words(self) -> str:
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip()[:200] if lines else ""

    def _reply(self, seconds: float) -> dict[str, Any] | None:
        """Return the worker's next line; None if it has ended."""
        assert self._process.stdout is not None
        while b"\n" not in self._read:
            if not select.select([self._process.stdout], [], [], seconds)[0]:
                raise TimeoutError
            some = os.read(self._process.stdout.fileno(), 1 << 16)
            if not some:
                return None
            self._read += some
        line, _, self._read = self._read.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _start(self) -> None:
        self._read = b""  # the beginning of an incomplete reply
        self._process = subprocess.Popen(
            list(self._command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=environment(self._isa, self._threads),
            start_new_session=True,
        )
        try:
            reply = self._reply(START_SECONDS)
        except TimeoutError:
            reply = None
        if reply is None:
            self._stop()
            raise SelfTestError(f"the self-test's process does not start: {self._last_words() or 'without a message'}")
        self.hello = reply["hello"]

    def _restart(self) -> None:
        self._stop()
        self._start()

    def _stop(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()
        self._process.wait()
