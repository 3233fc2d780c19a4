"""Carbon intensity of electricity: grams of CO2 equivalents per kilowatt-hour by region, with year and source.

A region's mean over a year says little about one hour or one data centre. It is used only where a user names it, and
only on measured energy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources

from nasbench.costs.csv_tables import table_rows
from nasbench.errors import InputError

COLUMNS = ("region", "name", "grams_per_kwh", "year", "source")


@dataclass(frozen=True)
class CarbonIntensity:
    """Mean emissions per unit of electricity of a region in one year.

    Args:
        region: ISO 3166 code of two letters; "" for a number that the user gave.
        name: name of the region.
        grams_per_kwh: grams of CO2 equivalents per kilowatt-hour, >= 0.
        year: year of the mean; "" for a number that the user gave.
        source: where the number was read.
    """

    region: str
    name: str
    grams_per_kwh: float
    year: str
    source: str

    def grams(self, kwh: float) -> float:
        """Return the emissions of an amount of energy.

        Args:
            kwh: energy in kilowatt-hours; NaN if it was not measured.

        Returns:
            Grams of CO2 equivalents; NaN if the energy was not measured.
        """
        return kwh * self.grams_per_kwh

    def __str__(self) -> str:
        where = f"{self.name}, {self.year}; {self.source}" if self.region else self.source
        return f"{self.grams_per_kwh:g} g CO2e per kWh ({where})"


@cache
def shipped_intensities() -> tuple[CarbonIntensity, ...]:
    """Return the table that is part of the suite."""
    text = resources.files("nasbench.costs").joinpath("carbon.csv").read_text(encoding="utf-8")
    rows = table_rows(text, "the shipped carbon.csv", COLUMNS, COLUMNS)
    return tuple(
        CarbonIntensity(row["region"], row["name"], float(row["grams_per_kwh"]), row["year"], row["source"])
        for _, row in rows
    )


def intensity_of(choice: str) -> CarbonIntensity:
    """Return the carbon intensity that a user chose.

    Args:
        choice: a code or name of the shipped table, e.g. "FR" or "France"; or a number in grams per kilowatt-hour.

    Returns:
        The intensity.

    Raises:
        InputError: when the text is neither, or the number is negative or not finite; lists the regions.
    """
    try:
        grams = float(choice)
    except ValueError:
        wanted = choice.strip().casefold()
        table = shipped_intensities()
        found = next((each for each in table if wanted in (each.region.casefold(), each.name.casefold())), None)
        if found is None:
            known = ", ".join(each.region for each in table)
            raise InputError(
                f"no carbon intensity of region {choice!r}; known: {known}; or give grams of CO2e per kWh, e.g. 50"
            ) from None
        return found
    if not math.isfinite(grams) or grams < 0:
        raise InputError(f"a carbon intensity is a number >= 0 in grams of CO2e per kWh, got {choice!r}")
    return CarbonIntensity("", "", grams, "", "given by the user")
