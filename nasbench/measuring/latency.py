"""Latency of networks: seconds of one call, measured in interleaved repetitions, as rows of the table of measurements."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.kernels.platform import platform_here
from nasbench.measuring.runners import Setting, cpu_threads, runner
from nasbench.measuring.timing import Timing, interleaved_seconds
from nasbench.provenance import utc_now
from nasbench.spaces import Architecture
from nasbench.structures import Scale
from nasbench.training.memory_errors import is_out_of_memory

LATENCY: Final = "latency"
REPETITIONS: Final = 50
WARM_UP: Final = 5
SOURCE: Final = "nasbench latency"

Row = dict[str, Any]
Runner = Callable[[Architecture, Scale, Setting], Callable[[], object]]


def measure_latency(
    architectures: Sequence[Architecture],
    scale: Scale,
    settings: Sequence[Setting],
    *,
    protocol: str = "",
    data: str = "",
    repetitions: int = REPETITIONS,
    warm_up: int = WARM_UP,
    seed: int = 0,
    after_round: Callable[[int], None] | None = None,
    make: Runner = runner,
) -> list[Row]:
    """Measure how long one call of each network takes.

    The repetitions of all networks and settings with one number of threads are interleaved, so that a slow phase of
    the machine falls on all alike; see `interleaved_seconds`.

    Args:
        architectures: what to measure; each hash once.
        scale: size of the networks and of their images.
        settings: devices, methods, batches and threads.
        protocol: name of the protocol whose scale it is, for the rows.
        data: name of the data set whose image size it is, for the rows.
        repetitions: timed calls per network and setting, >= 1.
        warm_up: untimed calls of each before, >= 0.
        seed: seed of the orders in which networks are called, >= 0.
        after_round: called after each round of repetitions; None for nothing.
        make: makes the function that is timed.

    Returns:
        Rows with the columns of `schema.MEASUREMENT_COLUMNS`, one per architecture and setting, in the order of the
        settings. The value is the median in seconds of a call with the whole batch.

    Raises:
        InputError: when a setting cannot run here, a hash occurs twice, a number is out of range, or the memory does
            not suffice.
        MissingExtra: when a method needs a package that is not installed.
    """
    hashes = [architecture.hash for architecture in architectures]
    if len(set(hashes)) < len(hashes):
        raise InputError("each architecture is measured once a call; some of these have the same hash")
    for setting in settings:
        setting.check()
    rows: list[Row] = []
    for threads in dict.fromkeys(setting.threads for setting in settings):
        chosen = [setting for setting in settings if setting.threads == threads]
        pairs = [(setting, architecture) for setting in chosen for architecture in architectures]
        with cpu_threads(threads), _memory_explained(len(pairs)):
            calls = [make(architecture, scale, setting) for setting, architecture in pairs]
            before = _load()
            seconds = interleaved_seconds(calls, repetitions, warm_up, seed, after_round=after_round)
            load = (before, _load())
        now = utc_now()
        for (setting, architecture), each in zip(pairs, seconds):
            about = {"warm_up": warm_up, "interleaved_with": len(pairs) - 1, "load_average": load, "nice": os.nice(0)}
            rows.append(
                _row(architecture, scale, setting, Timing.of(each), about)
                | {"protocol": protocol, "data": data, "measured_at": now}
            )
    return rows


@contextmanager
def _memory_explained(count: int) -> Iterator[None]:
    """Replace a failed allocation by an error that says what to do."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(
            f"the memory does not suffice for {count} networks and their batches at once: measure fewer in one command "
            "(--top, --where), or smaller batches"
        ) from error


def measure_into(path: str | os.PathLike[str], measured: Callable[[], list[Row]], take_over: bool = False) -> list[Row]:
    """Measure while this process owns a results file, and store the rows in it.

    A file that another process writes is therefore refused before the work and not after it.

    Args:
        path: the results file; it is created if there is none.
        measured: makes the rows.
        take_over: see `lock.ResultsLock`.

    Returns:
        The rows, which are on the disk.

    Raises:
        StoreError: when the file cannot be written, or another process writes it.
    """
    from nasbench.store.writer import ResultsWriter

    with ResultsWriter(path, take_over=take_over) as writer:
        rows = measured()
        writer.append_measurements(rows)
    return rows


def _load() -> float | None:
    """Processes that ran or waited for a processor in the last minute, on average; None if the system does not say."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _row(architecture: Architecture, scale: Scale, setting: Setting, timing: Timing, about: dict[str, Any]) -> Row:
    size = f"{scale.image_channels}x{scale.image_size}x{scale.image_size}"
    return {
        "hash": architecture.hash,
        "space": architecture.space.spec,
        "choices": json.dumps(list(architecture.choices), separators=(",", ":")),
        "quantity": LATENCY,
        "unit": "s",
        "direction": "lower",
        "value": timing.median,
        "low": timing.low,
        "high": timing.high,
        "spread": timing.spread,
        "n": timing.n,
        "outliers": timing.outliers,
        "device": setting.device_name,
        "method": setting.method,
        "batch": setting.batch,
        "threads": setting.threads,
        "input": size,
        "scale": json.dumps(asdict(scale), sort_keys=True, separators=(",", ":")),
        "protocol": "",
        "fingerprint": "",
        "data": "",
        "seed": -1,
        "software": setting.software,
        "platform": platform_here(threads=setting.threads),
        "details": json.dumps({**about, "minimum": timing.minimum, "mean": timing.mean}, sort_keys=True),
        "source": SOURCE,
        "measured_at": "",
    }
