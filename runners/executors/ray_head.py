"""Whether the head of a Ray cluster answers, found out by a plain connection: calls of Ray that need it block while it does not."""

from __future__ import annotations

import socket
import time
from typing import Any

from nasbench.errors import NasbenchError

PROBE_SECONDS = 5.0  # Ray itself tries a dead address for minutes
LOOK_SECONDS = 0.5  # for how long it is believed that the head answers
GONE_SECONDS = 30.0  # for how long it may not; after 60 Ray would end this process without a word of ours


class HeadGone(NasbenchError):
    """The head of a cluster that does not answer any more."""


class HeadWatch:
    """Notices that the head of the cluster is gone, before Ray does.

    Args:
        ray: the package, connected.
    """

    def __init__(self, ray: Any) -> None:
        self.address: str = ray.get_runtime_context().gcs_address
        self.gone = False  # from then on no call of Ray is sure to return
        self._looked = self._answered = time.monotonic()

    def answers(self) -> bool:
        """Whether the head answers; calls of Ray that need it block while it does not, and cannot be interrupted.

        Raises:
            HeadGone: when it has not answered for half a minute.
        """
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            try:
                touch(self.address)
                self._answered = now
            except OSError as error:
                self._refuse_long_silence(now - self._answered, error)
        return self._answered == self._looked

    def _refuse_long_silence(self, seconds: float, error: OSError) -> None:
        self.gone = seconds > GONE_SECONDS
        if self.gone:
            raise HeadGone(
                f"the head of the Ray cluster at {self.address} has not answered for {seconds:.0f} s "
                f"({error.strerror or error}). What was trained is kept: start a cluster, and go on with nasbench resume"
            ) from None


def touch(address: str) -> None:
    """Open a connection to HOST:PORT and close it; OSError where nothing takes it."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()
