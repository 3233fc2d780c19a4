"""Price of a device-hour: a dated table with a source per row, and the lookup of a device's row.

Device-hours are seconds x devices / 3600; USD are device-hours x the price of one row. Several rows may list the same device (another
provider, year or node). They are never averaged: the first row that fits wins, so the order of the file is the order of preference,
and every `Price` says which row it is. A user's file replaces the shipped table as a whole.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path

from nasbench.errors import InputError, MissingData

SECONDS_PER_HOUR = 3600.0
ANY_DEVICE = "*"

# The form factor is not in every device name, but its memory type is: only the SXM module of the H100 has HBM3.
_FORM_OF_MEMORY = {"hbm3": "sxm"}


@dataclass(frozen=True)
class Price:
    """One row of a price table.

    Args:
        gpu: the device: a family ("V100", "cpu"), then what tells its variants apart ("A100 80GB", "H100 SXM"); "*" is any device.
        usd: USD per device-hour, >= 0.
        provider: who asks it.
        region: the provider's region, or ''.
        scope: coverage of the price, with a remark if it stands in for another device's.
        source: publication or page with the figure.
        date: when it held, as exactly as the source says.
    """

    gpu: str
    usd: float
    provider: str
    region: str
    scope: str
    source: str
    date: str

    def __str__(self) -> str:
        """The row as one clause: what, how much, and by whose word."""
        words = [self.provider, self.region, self.date]
        by = ", ".join(word for word in words if word)
        name = "any device" if self.gpu == ANY_DEVICE else self.gpu
        return f"{name} at {self.usd:g} USD/h ({by or 'no provider given'}; {self.scope or 'no scope given'})"


PriceTable = tuple[Price, ...]

_COLUMNS = tuple(field.name for field in fields(Price))


def shipped_prices() -> PriceTable:
    """The price table that comes with the suite, in its order of preference."""
    text = resources.files("nasbench.costs").joinpath("prices.csv").read_text(encoding="utf-8")
    return _parse(text, "the shipped prices.csv")


def prices_from(choice: str | None) -> PriceTable:
    """The price table that a user asks for.

    Args:
        choice: None for the shipped table; a number such as "0.05" for that many USD per hour of any device; else the path of a CSV
            file with at least the columns gpu and usd, which replaces the shipped table.

    Returns:
        The table, at least one row.

    Raises:
        InputError: for a price below 0 or not finite, or when the file is not a price table.
        MissingData: when the file does not exist.
    """
    if choice is None:
        return shipped_prices()
    try:
        usd = float(choice)
    except ValueError:
        return _read(Path(choice))
    _check_usd(usd, choice, "the price")
    return (Price(ANY_DEVICE, usd, "set by the user", "", "any device", "the command line", ""),)


def price_of(device: str, table: PriceTable) -> Price:
    """The row of a price table that fits a device.

    Args:
        device: as the driver names it ("NVIDIA H100 80GB HBM3", "Tesla V100-SXM2-16GB") or as the table does ("V100", "cpu").
        table: rows in their order of preference.

    Returns:
        The first row whose family and variant both occur in the name; without one, the first row of the family; without one, the
        first row for any device. So "A100" alone gets the first A100 row, whichever its memory: look at `gpu` of the answer.

    Raises:
        InputError: when no row fits; names the devices there are.
    """
    named = [price for price in table if price.gpu != ANY_DEVICE]
    place = best_match(device, [price.gpu for price in named])
    if place is not None:
        return named[place]
    for price in table:
        if price.gpu == ANY_DEVICE:
            return price
    known = ", ".join(dict.fromkeys(price.gpu for price in table))
    raise InputError(f"no price for device {device!r}; the table has {known}; give one in USD per hour or a CSV file")


def best_match(device: str, names: Sequence[str]) -> int | None:
    """The place of the name in a table that fits a device; None without one.

    Args:
        device: as the driver or the table names it.
        names: of devices: a family, then what tells its variants apart.

    Returns:
        That of the first name whose family and variant both occur in the device's, else of the first of its family.
    """
    words = _words(device)
    family = [place for place, name in enumerate(names) if _words(name)[0] in words]
    exact = [place for place in family if set(_words(names[place])) <= set(words)]
    return next(iter((*exact, *family)), None)


def gpu_hours(seconds: float, devices: float = 1.0) -> float:
    """Device-hours of `seconds` on `devices` devices (a share such as 0.25 when four children share one)."""
    return seconds * devices / SECONDS_PER_HOUR


def usd(hours: float, price: Price) -> float:
    """USD for so many device-hours at a price."""
    return hours * price.usd


def _words(name: str) -> list[str]:
    """Lower-case words of a device name without what tells boards of one chip apart ("SXM4" -> "sxm", "K40m" -> "k40")."""
    words = [re.sub(r"^(sxm|pcie|k\d0)(\d|[cmst])?$", r"\1", word) for word in re.findall(r"[a-z0-9]+", name.lower())]
    return words + [_FORM_OF_MEMORY[word] for word in words if word in _FORM_OF_MEMORY]


def _read(path: Path) -> PriceTable:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MissingData(
            f"price {str(path)!r} is neither a number (USD per device-hour) nor a file; a file is CSV with {','.join(_COLUMNS)}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the price table {str(path)!r}: {error}") from None
    return _parse(text, f"price table {str(path)!r}")


def _parse(text: str, where: str) -> PriceTable:
    rows = csv.DictReader(io.StringIO(text))
    columns: Sequence[str] = rows.fieldnames or ()
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown or not {"gpu", "usd"} <= set(columns):
        raise InputError(
            f"{where} has the columns {', '.join(columns) or 'none'}; allowed: {', '.join(_COLUMNS)}, of which gpu and usd must be there"
        )
    table = tuple(_price(row, f"{where}, line {rows.line_num}") for row in rows)
    if not table:
        raise InputError(f"{where} has no rows")
    return table


def _price(row: dict[str, str | None], where: str) -> Price:
    texts = {name: (row.get(name) or "").strip() for name in _COLUMNS}
    if texts["gpu"] != ANY_DEVICE and not _words(texts["gpu"]):
        raise InputError(f"{where}: gpu is empty; write a device such as 'V100', or '{ANY_DEVICE}' for any device")
    amount = texts.pop("usd")
    try:
        value = float(amount)
    except ValueError:
        raise InputError(f"{where}: usd is {amount!r}, not a number of USD per device-hour") from None
    _check_usd(value, amount, where)
    return Price(usd=value, **texts)


def _check_usd(value: float, text: str, where: str) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise InputError(f"{where}: {text!r} is no price; write USD per device-hour, 0 or more")
