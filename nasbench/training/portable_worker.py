"""A worker process that trains with portable kernels, for callers that have already imported torch with fast kernels.

It is a plain subprocess, not one of multiprocessing, which would run the caller's script a second time and does not
work in daemonic worker processes. Requests and replies are pickles on its standard input and output.
"""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from nasbench.data import Dataset, provide_data, provided_data
from nasbench.errors import InputError, NasbenchError
from nasbench.kernels.portable import SETTINGS, require_portable_process
from nasbench.provenance import utc_now
from nasbench.training.evaluation import Child, Evaluation

ATTEMPTS: Final = 2
"""Number of times a child is started when the worker process dies; as in the local executor."""

# The first entry of sys.path is the working folder, whose files could hide modules.
_COMMAND: Final = "import sys; del sys.path[0]; from nasbench.training.portable_worker import serve; serve()"


class PortableWorker:
    """Trains children one by one in a worker process, which starts at the first child and ends with this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0  # pid of the process that started the worker: a forked process must start its own
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        """Process id of the worker process; 0 before it is started."""
        return self._process.pid if self._process is not None else 0

    def evaluate(self, child: Child, device: str, devices: float) -> Evaluation:
        """Train and score a child as `nasbench.training.evaluate.evaluate` does.

        If the worker process dies, the child is trained once more; the lost seconds are charged as set-up.

        Args:
            child: a child whose protocol has portable kernels.
            device: "cpu".
            devices: number of devices held, or the share of one, > 0; recorded in the result.

        Returns:
            The evaluation; its status is "failed" if the worker process died every time.

        Raises:
            InputError: when the child cannot be pickled or unpickled, e.g. because a script defines its space; or as
                `evaluate` raises it.
            MissingData: as `evaluate` raises it.
        """
        if self._owner != os.getpid():  # this process was forked
            self._process, self._owner, self._lock = None, os.getpid(), threading.Lock()
        request = _pickled((child, device, devices, provided_data(child.protocol.data)))
        with self._lock:
            lost = 0.0
            for _ in range(ATTEMPTS):
                process, began = self._started(), time.monotonic()
                try:
                    reply = _exchange(process, request)
                except (EOFError, OSError, pickle.UnpicklingError):
                    lost += time.monotonic() - began
                    self.close()
                    continue
                except BaseException:  # Ctrl-C: the worker must not continue the child
                    self.close()
                    raise
                return _with_lost(reply, lost)
        return Evaluation(
            status="failed",
            error=f"its worker process died {ATTEMPTS} times (killed, or out of memory?)",
            setup_seconds=lost,
            device=device,
            devices=devices,
            finished_at=utc_now(),
        )

    def close(self) -> None:
        """Kill the worker process, if there is one; the next child starts another."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):  # a request that was not sent completely has no reader any more
                        stream.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:  # died while idle: no child caused it
            self.close()
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND],
                env={**os.environ, **SETTINGS, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self._process


WORKER: Final = PortableWorker()
atexit.register(WORKER.close)


def serve() -> None:
    """Answer requests from standard input until it ends; the main function of the worker process."""
    for number in (signal.SIGINT, signal.SIGHUP):  # the parent process handles them, and kills this one
        signal.signal(number, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output that a library prints must not mix with the replies
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:  # the parent has ended
            return
        except Exception as error:
            reply: object = InputError(
                f"portable kernels: the process that trains the child cannot unpickle it ({type(error).__name__}: "
                f"{error}); "
                "define its space in a module that can be imported, not in a script"
            )
        else:
            reply = _answered(*request)
        pickle.dump(reply, replies)
        replies.flush()


def _answered(child: Child, device: str, devices: float, dataset: Dataset | None) -> object:
    from nasbench.training.evaluate import evaluate  # imports torch, which must happen in this process only

    if dataset is not None:
        provide_data(child.protocol.data, dataset)
    try:
        require_portable_process()  # otherwise `evaluate` would start a worker process, and that one another
        return evaluate(child, device, devices)
    except NasbenchError as error:
        return error


def _pickled(request: tuple[Any, ...]) -> bytes:
    try:
        return pickle.dumps(request)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(
            f"portable kernels: the child cannot be pickled for the process that trains it: {error}; "
            "define its space in a module that can be imported"
        ) from None


def _exchange(process: subprocess.Popen[bytes], request: bytes) -> object:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    process.stdin.flush()
    reply: object = pickle.load(process.stdout)
    return reply


def _with_lost(reply: object, lost: float) -> Evaluation:
    if isinstance(reply, NasbenchError):
        raise reply
    assert isinstance(reply, Evaluation)
    return replace(reply, setup_seconds=reply.setup_seconds + lost) if lost else reply
