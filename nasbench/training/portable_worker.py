"""A second process that trains with portable kernels, for callers whose process has loaded torch with other kernels.

It is started as a plain subprocess and not by multiprocessing, which would run the caller's script a second time and refuses callers that
are themselves workers. Requests and replies are pickles over its standard streams.
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
"""Attempts per child when its process dies, the default of the local executor."""

# The first entry of the path is the working folder, which could hide modules.
_COMMAND: Final = "import sys; del sys.path[0]; from nasbench.training.portable_worker import serve; serve()"


class PortableWorker:
    """Trains children one by one in a separate process, which starts at the first child and ends with this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0  # pid of the process that started it: a fork inherits this object, and not the worker
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        """Process id of the worker, 0 where none was started."""
        return self._process.pid if self._process is not None else 0

    def evaluate(self, child: Child, device: str, devices: float) -> Evaluation:
        """Train and score a child as `nasbench.training.evaluate.evaluate` does.

        A child whose process dies is begun once more; the seconds that were lost are charged as set-up.

        Args:
            child: its protocol has portable kernels.
            device: "cpu".
            devices: share of the device held; recorded.

        Returns:
            The evaluation; "failed" where the process died each time.

        Raises:
            InputError: where the child cannot be sent, e.g. of a space that a script defines, or as `evaluate` raises.
            MissingData: as `evaluate` raises.
        """
        if self._owner != os.getpid():  # after a fork
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
                except BaseException:  # Ctrl-C: the child is not to be trained on
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
        """End the process at once."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):  # what was not sent has no reader any more
                        stream.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:  # it died while idle, no child's doing
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
    """Answer requests on standard input until it ends; run by the worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output that a library prints must not mix with replies
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:  # the parent has ended
            return
        except Exception as error:
            reply: object = InputError(
                f"portable kernels: the child cannot be read in the process that trains it ({type(error).__name__}: {error}); "
                "spaces and strategies that it needs must be defined in a module that can be imported, not in a script"
            )
        else:
            reply = _answered(*request)
        pickle.dump(reply, replies)
        replies.flush()


def _answered(child: Child, device: str, devices: float, dataset: Dataset | None) -> object:
    from nasbench.training.evaluate import evaluate  # torch is imported here, in the process that was started for it

    if dataset is not None:
        provide_data(child.protocol.data, dataset)
    try:
        require_portable_process()  # or `evaluate` would start a worker of its own, and that one another
        return evaluate(child, device, devices)
    except NasbenchError as error:
        return error


def _pickled(request: tuple[Any, ...]) -> bytes:
    try:
        return pickle.dumps(request)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(f"portable kernels: the child cannot be sent to the process that trains it: {error}") from None


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
