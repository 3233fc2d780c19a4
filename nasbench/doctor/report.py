"""Output of findings, as text and as JSON."""

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
"""Version of the JSON document. It is raised when a key is renamed or removed."""

TITLES: Final[Mapping[Group, str]] = {
    "versions": "Python and libraries",
    "processor": "Processor and memory",
    "kernels": "Kernels",
    "devices": "Devices and energy",
    "storage": "Folder for results",
    "clock": "Clocks",
    "extras": "Extras (optional packages)",
}
WIDTH: Final = 150
_NAME_WIDTH: Final = 18
_LEVELS: Final[tuple[Level, ...]] = get_args(Level)


def breaks_a_search(findings: Sequence[Finding]) -> bool:
    """Return True if a search on this machine would fail or give wrong results.

    Args:
        findings: all findings.

    Returns:
        True if one of them has `breaks`.
    """
    return any(finding.breaks for finding in findings)


def lines_of(findings: Sequence[Finding], seconds: float) -> Iterator[str]:
    """Format findings as text: a title per group, each finding with its level and advice, and a summary.

    Args:
        findings: all findings, in the order of their groups.
        seconds: duration of the checks.

    Yields:
        Lines without line ends.
    """
    for group, members in groupby(findings, lambda finding: finding.group):
        yield TITLES[group]
        for finding in members:
            yield from _lines(finding)
    yield ""
    yield summary(findings, seconds)


def summary(findings: Sequence[Finding], seconds: float) -> str:
    """Return the last line of the report: the number of findings per level, and whether searches work.

    Args:
        findings: all findings.
        seconds: duration of the checks.

    Returns:
        One line.
    """
    counts = _counts(findings)
    stops = sum(finding.breaks for finding in findings)
    summary = (
        f"{counts['ok']} ok, {counts['slow']} slow, {counts['note']} to note, {counts['wrong']} WRONG ({seconds:.0f} s)"
    )
    return f"{summary}: a search would fail here ({stops} of them)" if stops else f"{summary}: searches work here"


def document(machine: Machine, findings: Sequence[Finding], seconds: float) -> dict[str, Any]:
    """Return the report as JSON values.

    Args:
        machine: the machine that was checked.
        findings: all findings.
        seconds: duration of the checks.

    Returns:
        "format": `FORMAT`; "machine": result of `describe`, None if it fails; "findings": a list of objects with the
        fields of `Finding`; "counts": number of findings per level; "searches_work": a boolean; "seconds".
    """
    described: dict[str, Any] | None = None
    try:
        described = describe(machine)
    except Exception as error:  # e.g. limits that cannot be read, which a check reports, too
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
    """Describe a machine as JSON values.

    Args:
        machine: the machine.

    Returns:
        Versions, system, processor, limits, GPUs, properties of torch, and the folder for results; None for unknown
        values.
    """
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
