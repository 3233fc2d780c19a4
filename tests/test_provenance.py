"""What a run says of where it was made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nasbench import provenance
from nasbench.kernels.processor import processor_here
from nasbench.provenance import other_versions, platform_of, provenance_json

VERSION = """NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""


def test_everything_that_decides_a_result_is_named() -> None:
    made = json.loads(provenance_json())
    assert {
        "python",
        "packages",
        "commit",
        "dirty",
        "host",
        "system",
        "processor",
        "gpus",
        "driver",
        "threads",
        "command",
    } <= set(made)
    assert {"torch", "numpy", "nasbench-suite"} <= set(made["packages"])


def test_gpus_and_driver_are_the_drivers_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_DRIVER", tmp_path)
    assert (provenance.provenance()["gpus"], provenance.provenance()["driver"]) == ([], "")
    (tmp_path / "version").write_text(VERSION)
    for slot, model in (("0000:01:00.0", "NVIDIA H100 80GB HBM3"), ("0000:02:00.0", "NVIDIA A100")):
        (tmp_path / "gpus" / slot).mkdir(parents=True)
        (tmp_path / "gpus" / slot / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 30\n")
    made = provenance.provenance()
    assert made["gpus"] == ["NVIDIA H100 80GB HBM3", "NVIDIA A100"]
    assert made["driver"] == "535.129.03"


def test_the_processor_is_identified() -> None:
    made = provenance.provenance()
    assert made["processor_identity"] == str(processor_here())
    assert platform_of(made).split("; ")[1] == f"torch {made['packages']['torch']}"


def test_a_platform_that_nobody_noted_is_unknown() -> None:
    assert platform_of({}) == "unknown processor"
    assert platform_of({"processor": "A; B", "packages": {"torch": "2", "scipy": "1"}}) == "A, B; torch 2"


def test_packages_of_another_version_are_named() -> None:
    made = provenance.provenance()
    assert other_versions(made) == []
    older = {**made["packages"], "numpy": "1.26.4", "nasbench-suite": "0", "another": "1"}
    here = made["packages"]["numpy"]
    assert other_versions({"packages": older}) == [f"numpy 1.26.4 (here {here})"]
    assert other_versions({}) == other_versions({"packages": 9}) == []
