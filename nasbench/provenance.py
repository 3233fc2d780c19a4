"""Provenance of a result: versions, commit, host, processor, threads, command line."""

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

# They choose devices and ways of computing; none of them changes a bit of a score by itself.
_CUDA_SETTINGS = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NASBENCH_CUDA_GRAPHS")

# Versions that schema 2's migration wrote into a row's platform.
_COMPUTING = ("torch", "torchvision", "numpy")

_PACKAGES = ("nasbench-suite", "torch", "torchvision", "numpy", "scipy", "pandas", "h5py", "scikit-learn", "pydantic")


def utc_now() -> str:
    """The time now in UTC as ISO 8601 with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def provenance() -> dict[str, Any]:
    """Return what is needed to reproduce a result, as plain JSON values.

    Returns:
        Package versions, the source's commit and whether it was changed since (empty outside a git checkout), host, operating system,
        processor, number of processors, models of the NVIDIA GPUs and their driver's version ([] and "" without one), settings of
        threads and of CUDA in the environment, and the command line.
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
    """Return `provenance` and further facts of a run as one line of JSON."""
    return json.dumps({**provenance(), **(more or {})}, sort_keys=True)


def platform_of(made: Mapping[str, Any]) -> str:
    """Return the coarse platform of rows that were stored before each row had one of its own; see `nasbench.kernels.platform`.

    Args:
        made: the stored value of `provenance`.

    Returns:
        The processor's brand and versions, e.g. "AMD EPYC; torch 2.14.1; torchvision 0.29.1; numpy 2.4.6".
    """
    packages = made.get("packages", {})
    processor = str(made.get("processor") or "unknown processor").replace(";", ",")
    return "; ".join([processor, *(f"{name} {packages[name]}" for name in _COMPUTING if packages.get(name))])


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
    """Models of the GPUs as the driver lists them; asking torch would take seconds where nothing else needs it."""
    lines = [line for path in sorted(_DRIVER.glob("gpus/*/information")) for line in _lines(path)]
    return [line.split(":", 1)[1].strip() for line in lines if line.startswith("Model:")]


def _driver() -> str:
    """Version of the NVIDIA driver."""
    line = next((line for line in _lines(_DRIVER / "version") if line.startswith("NVRM version:")), "")
    found = re.search(r"\d+\.\d+(\.\d+)?", line)
    return found[0] if found else ""


def _lines(path: Path) -> list[str]:
    """The lines of a file of the system, none where it is not there."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
