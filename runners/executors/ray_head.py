"""Check by a plain connection whether the head of a Ray cluster answers. Calls of Ray block while it does not."""

from __future__ import annotations

import socket
import time
from typing import Any

from nasbench.errors import NasbenchError

PROBE_SECONDS = 5.0  # seconds; Ray itself retries a dead address for minutes
LOOK_SECONDS = 0.5  # seconds for which a successful check is cached
# seconds without an answer that are tolerated; after 60 s Ray ends this process without our message
GONE_SECONDS = 30.0


class HeadGone(NasbenchError):
    """The head of the cluster has stopped answering."""


class HeadWatch:
    """Detects that the head of the cluster is gone, before Ray does.

    Args:
        ray: the package ray, connected.
    """

    def __init__(self, ray: Any) -> None:
        self.address: str = ray.get_runtime_context().gcs_address
        self.gone = False  # from then on calls of Ray may never return
        self._looked = self._answered = time.monotonic()

    def answers(self) -> bool:
        """Whether the head answers. Calls of Ray that need it block while it does not, and cannot be interrupted.

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
    """Open a TCP connection to an address and close it again.

    Args:
        address: HOST:PORT; an IPv6 host may be in brackets.

    Raises:
        OSError: when nothing accepts the connection within 5 seconds.
    """
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()
