"""`choices:` spaces with odd options, and architectures of odd text: one line, at once, and no wrong architecture."""

import time

import pytest

from nasbench.errors import InputError
from nasbench.spaces import from_json, get_space


@pytest.mark.parametrize(
    "options",
    ["", "0", "-1/3", "1e3", "3//2", "99999999999/2", "9" * 5000, "/".join(["2"] * 10_000), "/".join(["5000"] * 500)],
)
def test_options_that_make_no_space_are_one_short_line_at_once(options):
    start = time.perf_counter()
    with pytest.raises(InputError, match="space 'choices'") as caught:
        get_space(f"choices:{options}")
    assert time.perf_counter() - start < 1
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["9" * 5000, "9/" * 100_000, "1" * 4000, "x" * 100_000, "-", "()"])
def test_text_that_is_no_architecture_is_one_short_line(text):
    for options in ("3/3/2", "/".join(["2"] * 1000)):
        with pytest.raises(InputError) as caught:
            get_space(f"choices:{options}").parse(text)
        assert len(str(caught.value)) < 400


def test_a_number_that_may_be_digits_or_a_position_is_refused():
    mixed = get_space("choices:10/9")  # 10 could be the choices (1, 0), or the position of (1, 1)
    with pytest.raises(InputError, match="may be the position"):
        mixed.parse("5")
    assert mixed.parse("10").choices == (1, 0)
    assert get_space("choices:10/10").parse("5").choices == (0, 5)  # digits and position agree
    assert get_space("choices:3/3/3").parse("12").choices == (1, 1, 0)  # a position has too few digits to be choices


def test_json_that_is_nested_too_deeply_is_no_architecture():
    with pytest.raises(InputError, match="an architecture is written"):
        from_json('{"a":' * 100_000)
