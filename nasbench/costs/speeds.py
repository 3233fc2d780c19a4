"""Relative speed of two devices, from training rates measured on both, or from their published peak rates.

Both give estimates. The ratio of peak rates is least reliable for small networks, which cannot use a large GPU fully.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, fields
from importlib import resources

from nasbench.costs.csv_tables import read_text, table_rows
from nasbench.costs.pricing import best_match, model_of, names_a_gpu
from nasbench.errors import InputError

RATE_UNIT = "images/s"


@dataclass(frozen=True)
class Speed:
    """One row of a table of speeds.

    Args:
        gpu: the device, named as in a price table.
        tflops: peak rate in single precision without tensor cores, in 1e12 operations per second, > 0.
        scope: conditions of the figure, e.g. "base clock".
        source: publication or page with the figure.
        date: date of the source.
    """

    gpu: str
    tflops: float
    scope: str
    source: str
    date: str


@dataclass(frozen=True)
class Rate:
    """A measured training rate.

    Args:
        task: the task whose speed was measured.
        device: the device, named as in the table of speeds; "cpu" for a processor.
        images: images per second, > 0.
        date: date of the measurement.
    """

    task: str
    device: str
    images: float
    date: str


@dataclass(frozen=True)
class Ratio:
    """Estimated speed of one device relative to another.

    Args:
        times: speed of the first divided by that of the second, > 0.
        basis: the measurements or peak rates used.
        caveat: a remark on their reliability; "" for none.
    """

    times: float
    basis: str
    caveat: str = ""


_COLUMNS = tuple(field.name for field in fields(Speed))


def shipped_speeds() -> tuple[Speed, ...]:
    """Return the table of peak rates that is part of the suite."""
    return _parse(
        resources.files("nasbench.costs").joinpath("speeds.csv").read_text(encoding="utf-8"), "the shipped speeds.csv"
    )


def speeds_from(path: str | None) -> tuple[Speed, ...]:
    """Read a table of peak rates.

    Args:
        path: CSV file with the columns gpu and tflops, and optionally scope, source and date; None for the suite's
            table.

    Returns:
        The rows, at least one.

    Raises:
        InputError: when the file cannot be read, or is not a table of speeds.
        MissingData: when the file does not exist.
    """
    if path is None:
        return shipped_speeds()
    missing = f"file {path!r} does not exist; it should be CSV with {','.join(_COLUMNS)}"
    return _parse(read_text(path, missing), f"table of speeds {path!r}")


def rates_from(path: str, speeds: tuple[Speed, ...]) -> tuple[Rate, ...]:
    """Read training rates from a benchmark record; the last row of each task and device counts.

    Args:
        path: CSV file with the columns what, ours, unit, note and date, such as benchmarks/results.csv. Rows with
            another unit than images/s are ignored, and those of a GPU that the table lacks. The device is the GPU with which
            the note begins, or else "cpu".
        speeds: table of speeds with the known GPUs.

    Returns:
        One rate per task and device.

    Raises:
        InputError: when the file cannot be read, or is not a benchmark record.
        MissingData: when the file does not exist.
    """
    missing = f"file {path!r} does not exist; it should be a record such as benchmarks/results.csv"
    rows = csv.DictReader(io.StringIO(read_text(path, missing)))
    need = {"what", "ours", "unit", "note", "date"}
    if not need <= set(rows.fieldnames or ()):
        raise InputError(
            f"{path!r} is not a benchmark record: it has no column "
            f"{', '.join(sorted(need - set(rows.fieldnames or ())))}"
        )
    found: dict[tuple[str, str], Rate] = {}
    for row in rows:
        if not (row["unit"] or "").startswith(RATE_UNIT):
            continue
        named = (row["note"] or "").split(";")[0]
        place = best_match(named, [speed.gpu for speed in speeds])
        if place is None and names_a_gpu(
            named
        ):  # which the table lacks: it is not the processor, and nothing asks for it
            continue
        device = "cpu" if place is None else speeds[place].gpu
        rate = _above_zero(row["ours"] or "")
        if rate is None:
            raise InputError(
                f"{path!r}, line {rows.line_num}: ours is {row['ours']!r}, not a number of images per second above 0"
            )
        found[row["what"], device] = Rate(row["what"], device, rate, row["date"] or "")
    return tuple(found.values())


def speed_ratio(device: str, than: str, speeds: tuple[Speed, ...], rates: tuple[Rate, ...] = ()) -> Ratio:
    """Estimate how many times faster one device is than another.

    Args:
        device: name of the first device, from its driver or a table.
        than: name of the second device.
        speeds: table of peak rates.
        rates: measured rates. If some tasks were measured on both devices, the ratio is their geometric mean; otherwise
            it is the ratio of the peak rates.

    Returns:
        The ratio, with its basis.

    Raises:
        InputError: when the table does not have one of the devices.
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
            f"rates measured on both: {'; '.join(rate.task for rate, _ in common)} "
            f"({' to '.join(dict.fromkeys((days[0], days[-1])))})",
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
            f"the speed of device {device!r} is unknown; the table has {known}; give one of them, or your own table by "
            "--speeds"
        )
    return speeds[place]


def _parse(text: str, where: str) -> tuple[Speed, ...]:
    return tuple(_speed_row(texts, place) for place, texts in table_rows(text, where, _COLUMNS, ("gpu", "tflops")))


def _speed_row(texts: dict[str, str], where: str) -> Speed:
    amount = texts.pop("tflops")
    value = _above_zero(amount)
    if value is None or model_of(texts["gpu"]) is None:
        raise InputError(
            f"{where}: {texts['gpu'] or 'no device'} with tflops {amount!r}; write a device with its model, e.g. 'V100', and a "
            "number above 0"
        )
    return Speed(tflops=value, **texts)


def _above_zero(text: str) -> float | None:
    """Number that a text has; None if it is none, not finite, or not above 0."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None
