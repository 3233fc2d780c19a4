"""The README's commands run as they are printed, and what they print is what the README shows."""

from __future__ import annotations

import re

import pytest
from readme import README, Shown, console_block, run, shown_in

NUMBER = re.compile(r"\d+(\.\d+)?(e-\d+)?")
HASH = re.compile(r"[0-9a-f]{12}")
TOLERANCE = 0.1  # of accuracies and probabilities: their last bits depend on the processor


def differences(expected: Shown, found: Shown) -> list[str]:
    """Words that differ by more than what depends on the machine: hashes of the best cells, counts, seconds."""
    pairs = zip(expected.output.splitlines(), found.output.splitlines(), strict=True)
    exact = expected.command.startswith("$ nasbench data")
    return [
        f"{one} is {other}: {found.command}"
        for first, second in pairs
        for one, other in zip(first.split(), second.split(), strict=True)
        if one != other and (exact or not _alike(one, other))
    ]


def _alike(one: str, other: str) -> bool:
    if HASH.fullmatch(one) and HASH.fullmatch(other):
        return True
    if not (NUMBER.fullmatch(one) and NUMBER.fullmatch(other)):
        return False
    return float(one) > 1 or abs(float(one) - float(other)) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.timeout(900)  # of a busy machine
def test_the_block_shows_what_its_commands_print():
    expected = shown_in(console_block(README.read_text(encoding="utf-8")))
    found = run([shown.command for shown in expected])
    assert [line for pair in zip(expected, found, strict=True) for line in differences(*pair)] == []


def test_the_block_goes_from_images_to_an_export_and_fits_half_a_screen():
    block = console_block(README.read_text(encoding="utf-8"))
    commands = [re.sub(r"\\\n\s*", "", shown.command) for shown in shown_in(block)]
    assert [command.split()[2] for command in commands] == ["data", "data", "run", "train", "predict", "export-model"]
    assert '--where-arch "params <= 100k"' in commands[2]
    assert len(block.splitlines()) <= 25


def test_what_depends_on_the_machine_is_no_difference_and_all_else_is():
    def compared(command: str, one: str, other: str) -> list[str]:
        return differences(Shown(command, one), Shown(command, other))

    assert compared("$ nasbench train", "0f3a91b2c4d5 0.97 78618 3.1\n", "1f3a91b2c4d5 0.93 55518 9.7\n") == []
    assert len(compared("$ nasbench train", "0.97\n", "0.5\n")) == 1
    assert len(compared("$ nasbench train", "wrote a\n", "wrote b\n")) == 1
    assert len(compared("$ nasbench data show x", "600 images\n", "601 images\n")) == 1
    with pytest.raises(ValueError, match="zip"):
        compared("$ nasbench train", "a\n", "a b\n")
