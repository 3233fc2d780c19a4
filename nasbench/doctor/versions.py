"""Checks of Python and the libraries: supported versions, compatible versions, and imports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib import metadata
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nasbench.doctor.findings import Finding, Level
from nasbench.doctor.processes import last_words

SUITE: Final = "nasbench-suite"
MODULES: Final = {"pillow": "PIL", "scikit-learn": "sklearn", "nvidia-ml-py": "pynvml"}
"""Distributions whose module has another name -> name of the module."""

IMPORT_SECONDS: Final = 120.0  # after which imports are considered to hang; the first of matplotlib reads all fonts

SHOWN_PACKAGES: Final = 3  # most packages of an extra that are listed by name
_finding = partial(Finding, "versions")


class Installed:
    """The installed distributions and their metadata.

    Args:
        versions: canonical name of a distribution -> version.
        requirements: canonical name of a distribution -> lines of Requires-Dist; a missing one requires nothing.
        classifiers: classifiers of the suite.
        requires_python: Requires-Python of the suite, e.g. ">=3.10".
    """

    def __init__(
        self,
        versions: Mapping[str, str],
        requirements: Mapping[str, Sequence[str]],
        classifiers: Sequence[str],
        requires_python: str,
    ) -> None:
        self.versions, self.classifiers, self.requires_python = versions, classifiers, requires_python
        self._requirements = requirements

    @classmethod
    def here(cls) -> Installed | None:
        """Read this environment.

        Returns:
            The distributions; None if the suite is not installed and runs from its source folder.
        """
        try:
            suite = metadata.metadata(SUITE)
        except metadata.PackageNotFoundError:
            return None
        versions: dict[str, str] = {}
        requirements: dict[str, Sequence[str]] = {}
        for distribution in metadata.distributions():
            name = distribution.metadata["Name"]
            if name and canonicalize_name(name) not in versions:  # the first on the path is the one that is imported
                versions[canonicalize_name(name)] = distribution.version
                requirements[canonicalize_name(name)] = distribution.requires or ()
        return cls(versions, requirements, suite.get_all("Classifier") or (), suite["Requires-Python"] or "")

    def required_by(self, name: str, extra: str = "") -> list[Requirement]:
        """Return the requirements of a distribution that apply to this machine.

        Args:
            name: name of the distribution.
            extra: name of an extra, for the requirements that it adds; "" for those without extras.

        Returns:
            The requirements; none if the distribution is not installed.
        """
        found = [Requirement(line) for line in self._requirements.get(canonicalize_name(name), ())]

        def holds(one: Requirement, asked_for: str) -> bool:
            return one.marker is None or one.marker.evaluate({"extra": asked_for})

        return [one for one in found if holds(one, extra) and (not extra or not holds(one, ""))]

    def version(self, one: Requirement) -> str | None:
        """Return the installed version of a requirement.

        Args:
            one: the requirement.

        Returns:
            The version; None if the distribution is not installed.
        """
        return self.versions.get(canonicalize_name(one.name))


def check_python(version: tuple[int, int], installed: Installed | None) -> list[Finding]:
    """Check that this version of Python is supported.

    Args:
        version: version of Python, e.g. (3, 11).
        installed: the installed distributions; None if the suite is not installed.

    Returns:
        One finding.
    """
    mine = "{}.{}".format(*version)
    if installed is None:
        return [
            _finding("python", "note", f"{mine}; the suite is not installed, so the supported versions are unknown")
        ]
    named = re.findall(r"Programming Language :: Python :: (\d+)\.(\d+)", "\n".join(installed.classifiers))
    tried = sorted((int(major), int(minor)) for major, minor in named)
    if not tried:
        return [_finding("python", "note", f"{mine}; this installation does not list the supported versions")]
    lowest, highest = ("{}.{}".format(*tried[at]) for at in (0, -1))
    advice = f"create the environment with Python {lowest} to {highest}"
    if version < tried[0]:
        return [_finding("python", "wrong", f"{mine} is too old; supported: {lowest} to {highest}", advice, True)]
    if version not in tried:
        return [_finding("python", "note", f"{mine}; the suite was tested with {lowest} to {highest}", advice)]
    return [_finding("python", "ok", f"{mine} (supported: {lowest} to {highest})")]


def check_libraries(installed: Installed | None) -> list[Finding]:
    """Check each library's version against the requirements of the suite and of the other libraries.

    Args:
        installed: the installed distributions; None if the suite is not installed.

    Returns:
        At least one finding.
    """
    if installed is None:
        found = f"{SUITE} is not installed, so the required versions are unknown"
        return [_finding("libraries", "note", found, "in its folder: pip install -e .")]
    needed = installed.required_by(SUITE)
    findings = [finding for one in needed if (finding := _unmet(one, installed, SUITE)) is not None]
    for library in needed:
        if installed.version(library) is not None:
            others = (_unmet(one, installed, library.name) for one in installed.required_by(library.name))
            findings += [finding for finding in others if finding is not None]
    if not findings:
        shown = ", ".join(
            f"{one.name} {installed.version(one)}" for one in needed if one.name in ("numpy", "pandas", "h5py", "scipy")
        )
        found = f"{len(needed)} are installed and fit the suite and each other ({shown})"
        return [_finding("libraries", "ok", found)]
    return findings


def _unmet(one: Requirement, installed: Installed, by: str) -> Finding | None:
    there = installed.version(one)
    wanted = f"{one.name}{one.specifier}"
    advice = f"pip install '{wanted}'"
    if there is None:
        return _finding("libraries", "wrong", f"{one.name} is missing; {by} needs {wanted}", advice, True)
    if not one.specifier.contains(there, prereleases=True):
        if by == SUITE:
            return _finding("libraries", "wrong", f"{one.name} {there} is installed; {by} needs {wanted}", advice, True)
        pair = f"{by} {installed.versions[canonicalize_name(by)]} needs {wanted}, but {one.name} {there} is installed"
        # It does not break a search by itself: the check of the imports shows whether it does.
        return _finding("libraries", "wrong", pair, f"pip install --upgrade {by} {one.name}")
    return None


def check_imports(modules: Sequence[str], environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Import modules in a separate process, which a library built for other versions may crash.

    Args:
        modules: names of the modules.
        environment: environment variables of the process; None for this process's.

    Returns:
        One finding per module that cannot be imported, or one that all can.
    """
    findings: list[Finding] = []
    left = list(modules)
    while left:
        done, failure = _import(left, environment)
        if failure:
            culprit = left[done]
            package = next((name for name, module in MODULES.items() if module == culprit), culprit)
            advice = (
                "it, or a library that it uses, was built for other versions: pip install --upgrade --force-reinstall "
                f"{package}"
            )
            findings.append(_finding("imports", "wrong", f"import {culprit}: {failure}", advice, True))
        left = left[done + 1 :]
    return findings or [_finding("imports", "ok", f"all {len(modules)} libraries can be imported together")]


def _import(modules: Sequence[str], environment: Mapping[str, str] | None) -> tuple[int, str]:
    """Import modules until one fails; return the number of imported modules and the error of the next, or ""."""
    words = [sys.executable, "-m", "nasbench.doctor.importing", *modules]
    seconds = IMPORT_SECONDS
    try:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        said = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ""
        return len(_replies(said)), f"did not end within {seconds:.0f} s"
    replies = _replies(done.stdout)
    failure = next((reply["error"] for reply in replies if reply["error"]), "")
    if failure:
        return len(replies) - 1, failure
    if len(replies) < len(modules):
        return len(replies), f"the process died: {last_words(done)}"
    return len(replies), ""


def _replies(output: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"module":')]


def modules_of(needed: Iterable[Requirement]) -> list[str]:
    """Return the modules of requirements, in the order in which they are imported: torch first, as in the suite.

    Args:
        needed: the requirements.

    Returns:
        Names of the modules.
    """
    names = [MODULES.get(canonicalize_name(one.name), one.name) for one in needed]
    return sorted(names, key=lambda name: (name != "torch", names.index(name)))


def check_extras(installed: Installed | None, uses: Mapping[str, str]) -> list[Finding]:
    """Check which extras of the suite are installed.

    Args:
        installed: the installed distributions; None if the suite is not installed.
        uses: name of an extra -> its purpose.

    Returns:
        One finding per extra.
    """
    findings = []
    for extra, use in uses.items():
        command = f"pip install '{SUITE}[{extra}]'"
        name = f"extra {extra}"
        needed = installed.required_by(SUITE, extra) if installed is not None else []
        if installed is None or not needed:
            why = "the suite is not installed" if installed is None else "the installed suite has no such extra"
            findings.append(Finding("extras", name, "note", f"unknown: {why} ({use})", command))
            continue
        missing = [one.name for one in needed if installed.version(one) is None]
        old = [
            f"{one.name} {there} (needs {one.specifier})"
            for one in needed
            if (there := installed.version(one)) is not None and not one.specifier.contains(there, prereleases=True)
        ]
        level: Level
        if old:
            level, found = "wrong", f"{', '.join(old)}: {use}"
        elif missing:
            level, found = "note", f"not installed: {', '.join(missing)} ({use})"
        else:
            all_there = [f"{one.name} {installed.version(one)}" for one in needed]
            shown = ", ".join(all_there) if len(all_there) <= SHOWN_PACKAGES else f"all {len(all_there)} packages"
            level, found = "ok", f"{shown} ({use})"
        findings.append(Finding("extras", name, level, found, "" if level == "ok" else command))
    return findings
