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

# Words before the model, which many different devices share.
_VENDORS_AND_SERIES = frozenset(
    [
        "nvidia",
        "tesla",
        "geforce",
        "quadro",
        "rtx",
        "gtx",
        "gt",
        "amd",
        "radeon",
        "instinct",
        "rx",
        "intel",
        "arc",
        "google",
        "tpu",
        "apple",
        "gpu",
    ]
)

_GPU_SERIES = frozenset(
    ["nvidia", "tesla", "geforce", "quadro", "rtx", "gtx", "radeon", "instinct", "arc", "rx", "tpu", "gpu"]
)

# Words beside a model that make it another chip, which has its own price and speed: never left out or added.
_OTHER_CHIPS = frozenset(["ti", "super", "xt", "xtx", "gre", "d", "pro", "max", "ultra", "ada", "laptop"])


@dataclass(frozen=True)
class Price:
    """One row of a price table.

    Args:
        gpu: the device: its model ("V100", "RTX 3090", "1080 Ti", "cpu"), optionally followed by a variant ("A100 80GB",
            "H100 SXM"); "*" for any device.
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
        The first row whose model and variant both occur in the name; without one, the first row of the model; without
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

    Vendor and series ("NVIDIA", "GeForce RTX") say nothing, as many devices share them. "Ti", "Super" and the like are
    part of the model: a "GTX 1080" is no "1080 Ti".

    Args:
        device: name of the device, from its driver or a table.
        names: names of devices: each a model, optionally with vendor and series before it and a variant after it.

    Returns:
        Index of the first name whose model and variant both occur in the device's name; without one, of the first name
        of its model; None without one.
    """
    words = set(_words(device))
    same = [place for place, name in enumerate(names) if model_of(name) in words and _chip(name) == _chip(device)]
    exact = [place for place in same if set(_words(names[place])) - _VENDORS_AND_SERIES <= words]
    return next(iter((*exact, *same)), None)


def _chip(name: str) -> set[str]:
    """Words that make a model another chip; "Pro" and "Max" do so beside a number, as in "RTX PRO 6000" and "M1 Max"."""
    words = _words(name)
    model = model_of(name) or ""
    line = {"pro"} if model.startswith("w") else {"max"} if {"data", "center"} <= set(words) else set()
    return (set(words) & _OTHER_CHIPS) - line


def names_a_gpu(text: str) -> bool:
    """Whether a text names a GPU by its vendor or series, e.g. "NVIDIA GeForce GTX 1080".

    Args:
        text: a name, e.g. with what a note begins.

    Returns:
        False for processors, also of vendors that make both.
    """
    return any(word in _GPU_SERIES or word.startswith("titan") for word in _words(text))


def model_of(name: str) -> str | None:
    """Return the word of a device's name that is its model.

    Args:
        name: name of the device, from its driver or a table.

    Returns:
        The first word that is neither vendor nor series nor a word such as "Ti", in lower case: "a100" of "NVIDIA A100
        80GB PCIe", "6000" of "RTX PRO 6000"; None without one.
    """
    return next((word for word in _words(name) if word not in _VENDORS_AND_SERIES | _OTHER_CHIPS), None)


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
    """Return the lower-case words of a device name, without the board's version ("SXM4" -> "sxm", "K40m" -> "k40").

    "GTX1080Ti" has three words; "TITAN V" and "TITAN RTX" have one, since what follows "TITAN" tells them apart.
    """
    text = re.sub(r"\btitan\W+(?=\w)", "titan", name.lower())
    text = re.sub(r"\b(rtx|gtx|gt|rx)(?=\d)", r"\1 ", text)
    text = re.sub(r"(?<=\d)(ti|super|xtx|xt)\b", r" \1", text).replace("mobile", "laptop")
    words = [re.sub(r"^(sxm|pcie|k\d0)(\d|[cmst])?$", r"\1", word) for word in re.findall(r"[a-z0-9]+", text)]
    return words + [_FORM_OF_MEMORY[word] for word in words if word in _FORM_OF_MEMORY]


def _parse(text: str, where: str) -> PriceTable:
    return tuple(_price(texts, place) for place, texts in table_rows(text, where, _COLUMNS, ("gpu", "usd")))


def _price(texts: dict[str, str], where: str) -> Price:
    if texts["gpu"] != ANY_DEVICE and model_of(texts["gpu"]) is None:
        fault = f"gpu {texts['gpu']!r} names no model" if texts["gpu"] else "gpu is empty"
        raise InputError(f"{where}: {fault}; write a device such as 'V100', or '{ANY_DEVICE}' for any device")
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
