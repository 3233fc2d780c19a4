"""Price of a device-hour: a table with date and source of each price, and the lookup of a device in it.

Device-hours are seconds x devices / 3600, and USD are device-hours x price. A table may list a device several times,
e.g. of several providers. Prices are never averaged: the first row that fits is used, so the rows are in order of
preference. A user's file replaces the suite's table completely.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib import resources

from nasbench.costs.csv_tables import read_text, table_rows
from nasbench.errors import InputError

SECONDS_PER_HOUR = 3600.0
ANY_DEVICE = "*"

# Some drivers' names give the type of memory but not the form factor: of the H100, only the SXM module has HBM3.
_FORM_OF_MEMORY = {"hbm3": "sxm"}


@dataclass(frozen=True)
class Price:
    """One row of a price table.

    Args:
        gpu: the device: its family ("V100", "cpu"), optionally followed by a variant ("A100 80GB", "H100 SXM"); "*" for
            any device.
        usd: USD per device-hour, >= 0.
        provider: provider with this price.
        region: region of the provider; "" if unknown.
        scope: what the price covers, with a remark if it is used for another device.
        source: publication or page with the price.
        date: date of the price, as exact as in the source.
    """

    gpu: str
    usd: float
    provider: str
    region: str
    scope: str
    source: str
    date: str

    def __str__(self) -> str:
        """Return the row as one clause: device, price, provider and scope."""
        words = [self.provider, self.region, self.date]
        by = ", ".join(word for word in words if word)
        name = "any device" if self.gpu == ANY_DEVICE else self.gpu
        return f"{name} at {self.usd:g} USD/h ({by or 'no provider given'}; {self.scope or 'no scope given'})"


PriceTable = tuple[Price, ...]

_COLUMNS = tuple(field.name for field in fields(Price))


def shipped_prices() -> PriceTable:
    """Return the price table that is part of the suite."""
    text = resources.files("nasbench.costs").joinpath("prices.csv").read_text(encoding="utf-8")
    return _parse(text, "the shipped prices.csv")


def prices_from(choice: str | None) -> PriceTable:
    """Return the price table that a user chose.

    Args:
        choice: None for the suite's table; a number such as "0.05" for USD per device-hour of any device; otherwise the
            path of a CSV file with at least the columns gpu and usd, which replaces the suite's table.

    Returns:
        The rows, at least one, in order of preference.

    Raises:
        InputError: when a price is negative or not finite, or the file cannot be read or is not a price table.
        MissingData: when the file does not exist.
    """
    if choice is None:
        return shipped_prices()
    try:
        usd = float(choice)
    except ValueError:
        missing = (
            f"price {choice!r} is neither a number (USD per device-hour) nor a file; a file is CSV with the columns "
            f"{','.join(_COLUMNS)}"
        )
        return _parse(read_text(choice, missing), f"price table {choice!r}")
    _check_usd(usd, choice, "the price")
    return (Price(ANY_DEVICE, usd, "set by the user", "", "any device", "the command line", ""),)


def price_of(device: str, table: PriceTable) -> Price:
    """Return the row of a price table for a device.

    Args:
        device: name from the driver ("NVIDIA H100 80GB HBM3", "Tesla V100-SXM2-16GB") or from a table ("V100", "cpu").
        table: rows in order of preference.

    Returns:
        The first row whose family and variant both occur in the name; without one, the first row of the family; without
        one, the first row for any device. So "A100" gets the first row of an A100, whatever its memory: the field `gpu`
        of the result says which.

    Raises:
        InputError: when no row fits; the message lists the devices of the table.
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
    """Find the name in a list that fits a device.

    Args:
        device: name of the device, from its driver or a table.
        names: names of devices: each a family, optionally followed by a variant.

    Returns:
        Index of the first name whose family and variant both occur in the device's name; without one, of the first name
        of its family; None without one.
    """
    words = _words(device)
    family = [place for place, name in enumerate(names) if _words(name)[0] in words]
    exact = [place for place in family if set(_words(names[place])) <= set(words)]
    return next(iter((*exact, *family)), None)


def gpu_hours(seconds: float, devices: float = 1.0) -> float:
    """Convert seconds to device-hours.

    Args:
        seconds: seconds for which the devices were held, >= 0.
        devices: number of devices, or the share of one, e.g. 0.25 if four children share it.

    Returns:
        Device-hours.
    """
    return seconds * devices / SECONDS_PER_HOUR


def usd(hours: float, price: Price) -> float:
    """Return the cost of device-hours.

    Args:
        hours: device-hours, >= 0.
        price: price per device-hour.

    Returns:
        USD.
    """
    return hours * price.usd


def _words(name: str) -> list[str]:
    """Return the lower-case words of a device name, without the board's version ("SXM4" -> "sxm", "K40m" -> "k40")."""
    words = [re.sub(r"^(sxm|pcie|k\d0)(\d|[cmst])?$", r"\1", word) for word in re.findall(r"[a-z0-9]+", name.lower())]
    return words + [_FORM_OF_MEMORY[word] for word in words if word in _FORM_OF_MEMORY]


def _parse(text: str, where: str) -> PriceTable:
    return tuple(_price(texts, place) for place, texts in table_rows(text, where, _COLUMNS, ("gpu", "usd")))


def _price(texts: dict[str, str], where: str) -> Price:
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
        raise InputError(f"{where}: {text!r} is not a price; write USD per device-hour, 0 or more")
