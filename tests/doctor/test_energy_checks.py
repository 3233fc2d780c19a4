"""Counters of energy: there, there and not to be read, not there."""

from __future__ import annotations

import os

import pytest

from nasbench.doctor.energy import check_nvml, check_rapl


def zone(root, name, readable=True):
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "name").write_text("package-0\n")
    (folder / "max_energy_range_uj").write_text("262143328850\n")
    if readable:
        (folder / "energy_uj").write_text("1000000\n")
    else:
        (folder / "energy_uj").mkdir()  # no file can be read there, not even by root


def test_counters_of_the_processor(tmp_path):
    (none,) = check_rapl(tmp_path)
    assert (none.name, none.level) == ("RAPL", "note")
    assert "no counters" in none.found
    zone(tmp_path, "intel-rapl:0", readable=False)
    (unreadable,) = check_rapl(tmp_path)
    assert (unreadable.level, unreadable.breaks) == ("note", False)
    assert "may not read them" in unreadable.found
    assert unreadable.advice.startswith("as root, after each boot: chmod a+r")
    zone(tmp_path, "intel-rapl:1")
    (there,) = check_rapl(tmp_path)
    assert there.level == "ok"
    assert "rapl:package-0" in there.found


class Pynvml:
    """NVIDIA's library as the suite uses it, with a number of GPUs of which the second counts no energy."""

    class NVMLError(Exception):
        pass

    def __init__(self, gpus=0, error=""):
        self.gpus, self.error, self.open = gpus, error, False

    def nvmlInit(self):
        if self.error:
            raise self.NVMLError(self.error)
        self.open = True

    def nvmlShutdown(self):
        self.open = False

    def nvmlDeviceGetCount(self):
        return self.gpus

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetName(self, handle):
        return f"NVIDIA H100 number {handle}"

    def nvmlSystemGetDriverVersion(self):
        return "580.65"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        if handle == 1:
            raise self.NVMLError("Not Supported")
        return 5_000_000


def missing():
    raise ModuleNotFoundError("No module named 'pynvml'")


@pytest.mark.parametrize(
    ("gpus", "load", "expected"),
    [
        (0, missing, []),
        (1, missing, [("NVML", "note", "nvidia-ml-py is not installed")]),
        (0, lambda: Pynvml(error="NVML Shared Library Not Found"), [("NVML", "ok", "nothing to measure")]),
        (
            1,
            lambda: Pynvml(error="Driver/library version mismatch"),
            [("NVML", "note", "does not work (Driver/library")],
        ),
        (0, lambda: Pynvml(), [("NVML", "ok", "lists no GPU")]),
        (1, lambda: Pynvml(1), [("NVML 0", "ok", "NVIDIA H100 number 0, driver 580.65: 5,000 J")]),
        (
            2,
            lambda: Pynvml(2),
            [("NVML 0", "ok", "5,000 J"), ("NVML 1", "note", "energy cannot be read: Not Supported")],
        ),
    ],
)
def test_nvidias_library(gpus, load, expected):
    found = check_nvml(gpus, load)
    assert [(finding.name, finding.level) for finding in found] == [(name, level) for name, level, _ in expected]
    assert all(words in finding.found for finding, (_, _, words) in zip(found, expected))


def test_the_library_is_closed_again():
    library = Pynvml(2)
    check_nvml(2, lambda: library)
    assert not library.open


def test_this_machines_library_answers_or_says_why():
    found = check_nvml(0 if not os.path.exists("/proc/driver/nvidia/gpus") else 1)
    assert not any(finding.breaks for finding in found)
