"""Start-up code of worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait as wait_for_sentinel

from nasbench.streams import guard_streams


def follow_parent() -> None:
    """Ignore Ctrl-C and SIGHUP, which the parent handles, and end when the parent has ended; drop output that nobody reads."""
    guard_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal sends it to the workers, too
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        wait_for_sentinel([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
