"""The command that makes the tables of docs/statistics.md, at a smaller size, and what it must show."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import calibration
finally:
    sys.path.remove(str(ROOT / "benchmarks"))


def test_tables_stand_between_the_markers_of_the_page():
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    text = calibration.between_markers(page, "anything")
    assert f"{calibration.BEGIN}\nanything\n{calibration.END}" in text
    assert calibration.between_markers(text, "more").count("more\n" + calibration.END) == 1
    with pytest.raises(ValueError, match="the page has no"):
        calibration.between_markers("without markers", "")


def test_the_page_was_made_by_the_command():
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    made = page.partition(calibration.BEGIN)[2].partition(calibration.END)[0]
    assert "Made by `python -m benchmarks.calibration --repeats" in made
    rows = [line for line in made.splitlines() if line.startswith(("| normal |", "| skewed |", "| tied |"))]
    assert len(rows) == 15 + 30 + 12 + 48 + 3


@pytest.mark.slow
def test_small_tables_hold_what_the_large_ones_say():
    """Given intervals cover at least 92%, and tests of equal strategies reject 5% at most, up to chance."""
    repeats = 200
    below = 92 - 300 * np.sqrt(0.08 * 0.92 / repeats)
    above = 5 + 300 * np.sqrt(0.05 * 0.95 / repeats)
    for row in calibration.one_sample(repeats):
        for cell in row[2:5]:
            assert cell == "no interval" or float(cell.split()[0]) >= below, row
    for row in calibration.two_samples(repeats):
        for cell in row[3:5]:
            assert cell == "no interval" or float(cell.split()[0]) >= below, row
        # Brunner and Munzel's test alone (row[7]) does not hold its 5% with few runs; the verdict does.
        errors = [*row[5:7], row[8]] if row[2] == "equal" else row[9:10]
        for cell in errors:
            assert cell == "no interval" or float(cell) <= above, row
    for row in calibration.unequal_spreads(repeats):  # at most 8% are wrong without a note
        assert float(row[5]) <= 8 + 300 * np.sqrt(0.08 * 0.92 / repeats), row
        for cell in row[6:8]:  # A12 at five times the spread
            assert cell == "no interval" or float(cell.split()[0]) >= below, row
    for row in calibration.rank_tests(repeats):  # unequal spreads: 5% from 10 runs on, up to 9% with 5 of 200
        most = 9 if row[2].startswith("5 ") else 6
        assert float(row[3]) <= most + 300 * np.sqrt(most / 100 * (1 - most / 100) / repeats), row
    for row in calibration.bands(60):
        for cell in row[1:]:
            assert float(cell.split()[0]) >= 92 - 300 * np.sqrt(0.08 * 0.92 / 60), row
