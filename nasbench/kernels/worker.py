"""A process beside this one that trains with portable kernels, for callers whose own process has torch loaded with others."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

from nasbench.data import Dataset, provide_data, provided_data
from nasbench.evaluation import Child, Evaluation
from nasbench.kernels.portable import spawn_environment
from nasbench.processes import follow_parent


class PortableWorker:
    """Trains one child after the other in a process of its own, which is started at the first and ends with this one."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self.pid = 0

    def evaluate(self, child: Child, device: str, devices: float) -> Evaluation:
        """Train and score a child as `nasbench.evaluator.evaluate` does.

        Args:
            child: its protocol has portable kernels.
            device: "cpu".
            devices: share of the device held; recorded.

        Returns:
            The evaluation; "failed" where the process died.
        """
        pool = self._started()
        dataset = provided_data(child.protocol.data)
        done: Future[Evaluation] = pool.submit(_evaluate, child, device, devices, dataset)
        try:
            return done.result()
        except BrokenProcessPool:
            self.close()
            error = "its worker process died (killed, or out of memory?)"
            return Evaluation(status="failed", error=error, device=device, devices=devices)
        except BaseException:  # Ctrl-C: the child is not to be trained on
            self.close()
            raise

    def close(self) -> None:
        """End the process at once."""
        if self._pool is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=follow_parent
            )
            with spawn_environment("portable"):
                self.pid = self._pool.submit(os.getpid).result()
            atexit.register(self.close)
        return self._pool


WORKER = PortableWorker()


def _evaluate(child: Child, device: str, devices: float, dataset: Dataset | None) -> Evaluation:
    from nasbench.evaluator import evaluate  # torch is imported here, in the process that was started for it

    if dataset is not None:
        provide_data(child.protocol.data, dataset)
    return evaluate(child, device, devices)
