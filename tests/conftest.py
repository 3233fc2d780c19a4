"""Shared by all tests: one thread, no display, and no configuration of the user who runs them."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest
from sampling import evenly_spaced

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

os.environ["NASBENCH_CONFIG"] = os.devnull
for name in ("NASBENCH_DEVICES", "NASBENCH_PRICE", "NASBENCH_VERBOSITY", "NO_COLOR", "FORCE_COLOR"):
    os.environ.pop(name, None)

# A shell that starts tests in the background lets them ignore Ctrl-C, and nohup a hang-up: some tests send these to themselves.
if threading.current_thread() is threading.main_thread():
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


SLOW_TIMEOUT = 1800  # seconds


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow the parameter sets that `sampled` leaves to `make test-slow`: before `-m` chooses by markers."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled") is not None:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for parametrized in cases.values():
        marker = parametrized[0].get_closest_marker("sampled")
        assert marker is not None
        kept = evenly_spaced(len(parametrized), int(marker.args[0]))
        for position, item in enumerate(parametrized):
            if position not in kept:
                item.add_marker(pytest.mark.slow)
    for item in items:  # minutes on an idle machine, and a machine that is tested at night is not always idle
        if item.get_closest_marker("slow") is not None and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT))


@pytest.fixture(autouse=True)
def _what_a_test_registers_ends_with_it() -> Iterator[None]:
    """Forget strategies that a test registers: other tests loop over all there are."""
    yield
    strategies = sys.modules.get("nasbench.runners.strategies")
    if strategies is not None:
        strategies.STRATEGIES._added.clear()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the garbage collector pass over what stays for all tests: torch and 8,000 tests. It saves 4% of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
