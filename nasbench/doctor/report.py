"""Findings of the checks, as lines for people and as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, Final, get_args

from nasbench.doctor.checks import Machine
from nasbench.doctor.findings import Finding, Group, Level

FORMAT: Final = 1
"""Version of the JSON document; raised when a key is renamed or removed."""

TITLES: Final[Mapping[Group, str]] = {
    "versions": "Python and libraries",
    "processor": "Processor and memory",
    "kernels": "Kernels",
    "devices": "Devices and energy",
    "storage": "Folder for results",
    "clock": "Clocks",
    "extras": "Extras, all of which can be missing",
}
WIDTH: Final = 150
_NAME_WIDTH: Final = 18
_LEVELS: Final[tuple[Level, ...]] = get_args(Level)


def breaks_a_search(findings: Sequence[Finding]) -> bool:
    """True if a search would fail on this machine or give wrong results."""
    return any(finding.breaks for finding in findings)


def lines_of(findings: Sequence[Finding], seconds: float) -> Iterator[str]:
    """Lines for people: groups, each finding with its level and what to do, and counts at the end.

    Args:
        findings: in the order of their groups.
        seconds: that the checks took.
    """
    for group, members in groupby(findings, lambda finding: finding.group):
        yield TITLES[group]
        for finding in members:
            yield from _lines(finding)
    yield ""
    yield summary(findings, seconds)


def summary(findings: Sequence[Finding], seconds: float) -> str:
    """The last line: how many of each level, and whether a search will work.

    Args:
        findings: all of them.
        seconds: that the checks took.
    """
    counts = _counts(findings)
    stops = sum(finding.breaks for finding in findings)
    summary = (
        f"{counts['ok']} ok, {counts['slow']} slow, {counts['note']} to note, {counts['wrong']} WRONG ({seconds:.0f} s)"
    )
    return f"{summary}: a search would fail here ({stops} of them)" if stops else f"{summary}: searches work here"


def document(machine: Machine, findings: Sequence[Finding], seconds: float) -> dict[str, Any]:
    """Return the report as plain JSON values.

    Args:
        machine: that the findings are of.
        findings: all of them.
        seconds: that the checks took.

    Returns:
        "format": `FORMAT`; "machine": what it is, None where that cannot be found out; "findings": a list of objects with the fields of `Finding`; "counts": by level;
        "searches_work": a boolean; "seconds".
    """
    described: dict[str, Any] | None = None
    try:
        described = describe(machine)
    except Exception as error:  # e.g. limits that cannot be read; a check reports them too
        found = f"cannot be described: {type(error).__name__}: {error}"
        findings = [*findings, Finding("processor", "machine", "wrong", found, "report it with this text")]
    return {
        "format": FORMAT,
        "machine": described,
        "findings": [asdict(finding) for finding in findings],
        "counts": _counts(findings),
        "searches_work": not breaks_a_search(findings),
        "seconds": round(seconds, 1),
    }


def describe(machine: Machine) -> dict[str, Any]:
    """Description of a machine, as plain JSON values; None for unknown values."""
    from nasbench.kernels.processor import processor_here

    made, processor, limits = machine.made, processor_here(), machine.limits
    facts = asdict(machine.torch) if machine.torch_works else None
    return {
        **{
            key: made[key]
            for key in ("python", "packages", "commit", "dirty", "system", "gpus", "driver", "threads", "cuda")
        },
        "architecture": machine.architecture,
        "processor": {**asdict(processor), "flags": sorted(processor.flags)},
        "limits": {name: value if abs(value) < float("inf") else None for name, value in asdict(limits).items()},
        "torch": facts,
        "folder": str(machine.folder),
    }


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    counted = Counter(finding.level for finding in findings)
    return {level: counted[level] for level in _LEVELS}


def _lines(finding: Finding) -> Iterator[str]:
    level = "WRONG" if finding.level == "wrong" else finding.level
    text = f"{finding.name}: {finding.found}"
    margin = " " * 8
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=f"  {level:<5} ", subsequent_indent=margin, break_long_words=False
    )
    if finding.advice:
        yield from textwrap.wrap(
            finding.advice,
            WIDTH,
            initial_indent=f"{margin}-> ",
            subsequent_indent=f"{margin}   ",
            break_long_words=False,
        )
