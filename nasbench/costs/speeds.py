"""Relative speed of devices, from published peak arithmetic rates or from rates measured on both.

What follows from either is an estimate of what was not run. A ratio of peaks says least of small networks, which leave a large GPU idle.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path

from nasbench.costs.pricing import best_match
from nasbench.errors import InputError, MissingData

RATE_UNIT = "images/s"


@dataclass(frozen=True)
class Speed:
    """One row of a table of speeds.

    Args:
        gpu: the device, named as in a price table.
        tflops: peak of single precision without tensor cores, published or measured, 1e12 operations per second, > 0.
        scope: conditions of the figure, e.g. "base clock".
        source: publication or page with the figure.
        date: of the source.
    """

    gpu: str
    tflops: float
    scope: str
    source: str
    date: str


@dataclass(frozen=True)
class Rate:
    """One measured rate: task, device, images per second and date."""

    task: str
    device: str
    images: float
    date: str


@dataclass(frozen=True)
class Ratio:
    """Estimated speed of one device relative to another, its basis, and a caveat ('' for none)."""

    times: float
    basis: str
    caveat: str = ""


_COLUMNS = tuple(field.name for field in fields(Speed))


def shipped_speeds() -> tuple[Speed, ...]:
    """The table of peaks that comes with the suite."""
    return _parse(
        resources.files("nasbench.costs").joinpath("speeds.csv").read_text(encoding="utf-8"), "the shipped speeds.csv"
    )


def speeds_from(path: str | None) -> tuple[Speed, ...]:
    """The table of peaks that a user asks for; None for the shipped one.

    Raises:
        InputError: for a file that is no such table.
        MissingData: when there is no such file.
    """
    if path is None:
        return shipped_speeds()
    return _parse(_read(path, f"CSV with {','.join(_COLUMNS)}"), f"table of speeds {path!r}")


def rates_from(path: str, speeds: tuple[Speed, ...]) -> tuple[Rate, ...]:
    """Read images per second by device from a benchmark record; the newest per task and device.

    Args:
        path: such as benchmarks/results.csv: columns what, ours, unit, note, date. A row is of the GPU that its note begins with, as
            benchmarks/gpu.py writes it, else of the processor.
        speeds: whose devices are known.

    Raises:
        InputError: for a file that is no record.
        MissingData: when there is no such file.
    """
    rows = csv.DictReader(io.StringIO(_read(path, "a record such as benchmarks/results.csv")))
    need = {"what", "ours", "unit", "note", "date"}
    if not need <= set(rows.fieldnames or ()):
        raise InputError(
            f"{path!r} is no benchmark record: it lacks {', '.join(sorted(need - set(rows.fieldnames or ())))}"
        )
    found: dict[tuple[str, str], Rate] = {}
    for row in rows:
        if not (row["unit"] or "").startswith(RATE_UNIT):
            continue
        place = best_match((row["note"] or "").split(";")[0], [speed.gpu for speed in speeds])
        device = "cpu" if place is None else speeds[place].gpu
        try:
            rate = float(row["ours"] or "")
        except ValueError:
            raise InputError(
                f"{path!r}, line {rows.line_num}: ours is {row['ours']!r}, not a number of images a second"
            ) from None
        found[row["what"], device] = Rate(row["what"], device, rate, row["date"] or "")
    return tuple(found.values())


def speed_ratio(device: str, than: str, speeds: tuple[Speed, ...], rates: tuple[Rate, ...] = ()) -> Ratio:
    """Estimate the speed of `device` relative to `than`: by rates of the same tasks measured on both, else by their peaks.

    Args:
        device: as its driver or a table names it.
        than: likewise.
        speeds: table of peaks.
        rates: measured rates; the mean over common tasks is the geometric one.

    Raises:
        InputError: for a device that is not in the table.
    """
    fast, slow = (_speed(name, speeds) for name in (device, than))
    if fast.gpu == slow.gpu:
        return Ratio(1.0, "the same device")
    here = {rate.task: rate for rate in rates if rate.device == slow.gpu}
    common = [(rate, here[rate.task]) for rate in rates if rate.device == fast.gpu and rate.task in here]
    if common:
        times = math.exp(sum(math.log(there.images / ours.images) for there, ours in common) / len(common))
        days = sorted({rate.date for pair in common for rate in pair})
        return Ratio(
            times,
            f"rates measured on both: {'; '.join(rate.task for rate, _ in common)} ({' to '.join(dict.fromkeys((days[0], days[-1])))})",
        )
    return Ratio(
        fast.tflops / slow.tflops,
        f"peaks of single precision ({fast.gpu} {fast.tflops:g}, {slow.gpu} {slow.tflops:g} TFLOP/s)",
        "; ".join(f"{row.gpu}: {row.scope}" for row in (slow, fast) if "stand-in" in row.scope),
    )


def _speed(device: str, speeds: tuple[Speed, ...]) -> Speed:
    place = best_match(device, [speed.gpu for speed in speeds])
    if place is None:
        known = ", ".join(speed.gpu for speed in speeds)
        raise InputError(
            f"no speed is known of device {device!r}; the table has {known}; give one of them, or a table by --speeds"
        )
    return speeds[place]


def _read(path: str, what: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingData(f"no file {path!r}; it should be {what}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path!r}: {error}") from None


def _parse(text: str, where: str) -> tuple[Speed, ...]:
    rows = csv.DictReader(io.StringIO(text))
    columns = rows.fieldnames or ()
    if not {"gpu", "tflops"} <= set(columns) or set(columns) - set(_COLUMNS):
        raise InputError(
            f"{where} has the columns {', '.join(columns) or 'none'}; allowed: {', '.join(_COLUMNS)}, of which gpu and tflops must be there"
        )
    table = []
    for row in rows:
        texts = {name: (row.get(name) or "").strip() for name in _COLUMNS}
        amount = texts.pop("tflops")
        try:
            value = float(amount)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0) or not texts["gpu"]:
            raise InputError(
                f"{where}, line {rows.line_num}: {texts['gpu'] or 'no device'} with tflops {amount!r}; write a device and a number above 0"
            )
        table.append(Speed(tflops=value, **texts))
    if not table:
        raise InputError(f"{where} has no rows")
    return tuple(table)
