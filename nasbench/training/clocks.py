"""The clocks by which the seconds of a training are counted."""

from __future__ import annotations

import time
from typing import Final, Literal

from nasbench.errors import InputError

Clock = Literal["held", "processor"]
"""What seconds count: "held", the time for which the device was held; "processor", the time that it computed.

They are equal on an idle machine. Where other programs use the same cores, held time grows with their load, and
processor time nearly does not, so that the costs of a table can be compared between its rows. A search is charged
held time always, because a device that waits is paid for, too.
"""

_READINGS: Final = {"held": time.perf_counter, "processor": time.process_time}


def reading(clock: Clock) -> float:
    """Return what a clock shows.

    Args:
        clock: "held" or "processor".

    Returns:
        Seconds since an unspecified moment; "processor": of all threads of this process, in user and kernel mode.
    """
    return _READINGS[clock]()


def require_clock(clock: Clock, device: str, threads: int) -> None:
    """Refuse processor time where it is not the time of one device.

    Args:
        clock: "held" or "processor".
        device: "cpu", "cuda" or "cuda:1".
        threads: threads of the training.

    Raises:
        InputError: when processor time is asked for on a GPU or with several threads.
    """
    if clock == "processor" and (device != "cpu" or threads != 1):
        raise InputError(
            f"processor time is the time of a device only on the CPU with one thread, not on {device} with {threads}; "
            "use the clock held"
        )
