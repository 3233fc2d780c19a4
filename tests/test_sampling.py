"""`sampled` leaves parameter sets to the nightly tests, and a whole run has all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sampling import evenly_spaced

pytest_plugins = ["pytester"]

TEST = """
    import pytest

    @pytest.mark.sampled(3)
    @pytest.mark.parametrize("number", range(9))
    def test_numbers(number):
        assert number < 9
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    support = Path(__file__).parent
    pytester.makeconftest((support / "conftest.py").read_text())
    pytester.makeini(
        f"[pytest]\npythonpath = {support / 'support'}\nmarkers =\n    slow: nightly\n    sampled(keep): see CONTRIBUTING.md\n"
    )
    pytester.makepyfile(TEST)
    return pytester


@pytest.mark.parametrize(("markers", "ran"), [("not slow", 3), ("slow", 6), ("slow or not slow", 9)])
def test_every_parameter_set_runs_in_one_of_the_tiers(suite: pytest.Pytester, markers: str, ran: int) -> None:
    suite.runpytest("-m", markers, "-p", "no:cacheprovider").assert_outcomes(passed=ran, deselected=9 - ran)


@pytest.mark.parametrize(
    ("count", "keep", "chosen"), [(9, 3, {0, 4, 8}), (9, 1, {0}), (2, 3, {0, 1}), (3, 3, {0, 1, 2}), (64, 2, {0, 63})]
)
def test_a_sample_reaches_from_the_first_to_the_last(count: int, keep: int, chosen: set[int]) -> None:
    assert evenly_spaced(count, keep) == chosen
