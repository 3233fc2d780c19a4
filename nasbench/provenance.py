"""Provenance of a result: versions, commit, host, processor, GPUs, environment and command line."""

from __future__ import annotations

import json
import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nasbench.kernels.processor import processor_here

_DRIVER = Path("/proc/driver/nvidia")

# These variables choose devices and speed; none of them changes the bits of a score.
_CUDA_SETTINGS = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NASBENCH_CUDA_GRAPHS")

# Libraries whose versions the migration to schema 2 wrote into the platform of rows.
_COMPUTING = ("torch", "torchvision", "numpy")

_PACKAGES = (
    *("nasbench-suite", "torch", "torchvision", "numpy", "scipy", "pandas", "h5py", "scikit-learn", "pydantic"),
    *("optuna", "pymoo", "syne-tune"),
)


def utc_now() -> str:
    """Return the time in UTC, as ISO 8601 with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def provenance() -> dict[str, Any]:
    """Return everything that is needed to reproduce a result.

    Returns:
        JSON values: versions of Python and of packages; commit of the source and whether it has changes ("" and False
        outside a git checkout); host, operating system, processor and number of processors; models of the NVIDIA GPUs
        and version of their driver ([] and "" without a driver); environment variables of threads and CUDA; and the
        command line.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        **_commit(),
        "host": socket.gethostname(),
        "system": platform.platform(),
        "processor": _processor(),
        "processor_identity": str(processor_here()),
        "processors": os.cpu_count(),
        "gpus": _gpus(),
        "driver": _driver(),
        "threads": {key: value for key, value in sorted(os.environ.items()) if key.endswith("_NUM_THREADS")},
        "cuda": {key: os.environ[key] for key in _CUDA_SETTINGS if key in os.environ},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def provenance_json(more: Mapping[str, Any] | None = None) -> str:
    """Return `provenance` as one line of JSON.

    Args:
        more: further JSON values to include, by name.

    Returns:
        The JSON text, with sorted keys.
    """
    return json.dumps({**provenance(), **(more or {})}, sort_keys=True)


def platform_of(made: Mapping[str, Any]) -> str:
    """Return the platform of rows of old results files, which stored it only in the run's provenance.

    Args:
        made: the stored result of `provenance`.

    Returns:
        The processor's brand and versions of libraries, e.g. "AMD EPYC; torch 2.14.1; torchvision 0.29.1; numpy 2.4.6".
        `nasbench.kernels.platform.is_coarse` is true for it.
    """
    packages = made.get("packages", {})
    packages = packages if isinstance(packages, dict) else {}
    processor = str(made.get("processor") or "unknown processor").replace(";", ",")
    return "; ".join([processor, *(f"{name} {packages[name]}" for name in _COMPUTING if packages.get(name))])


def other_versions(made: Mapping[str, Any]) -> list[str]:
    """Compare the packages with which a result was made with those that are installed.

    Args:
        made: the stored result of `provenance`, perhaps changed by somebody.

    Returns:
        Packages of another version, e.g. "scikit-learn 1.9.1 (here 1.7.2)"; those of unknown version are left out.
    """
    packages = made.get("packages")
    if not isinstance(packages, dict):
        return []
    here = {name: _version(name) for name in _PACKAGES}
    return [
        f"{name} {packages[name]} (here {found or 'none'})"
        for name, found in here.items()
        if name != "nasbench-suite" and packages.get(name) and packages[name] != found
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _commit() -> dict[str, Any]:
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():  # an installed wheel: its version says what it is
        return {"commit": "", "dirty": False}

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}
    except FileNotFoundError:  # a checkout on a machine without git
        return {"commit": "", "dirty": False}


def _processor() -> str:
    return processor_here().name or platform.processor()


def _gpus() -> list[str]:
    """Return the models of the GPUs from the driver's files, because importing torch would take seconds."""
    lines = [line for path in sorted(_DRIVER.glob("gpus/*/information")) for line in _lines(path)]
    return [line.split(":", 1)[1].strip() for line in lines if line.startswith("Model:")]


def _driver() -> str:
    """Return the version of the NVIDIA driver; "" without one."""
    line = next((line for line in _lines(_DRIVER / "version") if line.startswith("NVRM version:")), "")
    found = re.search(r"\d+\.\d+(\.\d+)?", line)
    return found[0] if found else ""


def _lines(path: Path) -> list[str]:
    """Return the lines of a file; none if it cannot be read."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
