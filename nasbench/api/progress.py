"""Progress of a search from Python: a bar in notebooks and terminals, lines elsewhere, or nothing."""

from __future__ import annotations

import sys

from nasbench.costs.units import DEVICE_HOURS
from nasbench.runners.search.budget import Ledger
from nasbench.runners.search.progress import Progress


class Silent(Progress):
    """Shows nothing."""

    def start(self, ledger: Ledger) -> None:
        """Show nothing; see `Progress.start`."""

    def child(self, ledger: Ledger, best: str, busy: float, cached: bool = False) -> None:
        """Show nothing; see `Progress.child`."""

    def note(self, text: str) -> None:
        """Show nothing; see `Progress.note`."""


def progress_of(title: str, shown: bool, unit: str = DEVICE_HOURS) -> Progress:
    """Make the display of a search.

    Args:
        title: name of the search.
        shown: whether to show anything.
        unit: name of the unit of device time, e.g. "GPU-hours".

    Returns:
        A display that draws a bar in notebooks and terminals, and prints lines elsewhere; a silent one unless `shown`.
    """
    if not shown:
        return Silent(title)
    return Progress(title, bar=True if in_notebook() else None, unit=unit)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and "IPKernelApp" in shell.config
