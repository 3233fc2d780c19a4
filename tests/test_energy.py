"""Energy is what counters say: rising, wrapping, failing, or not there."""

from __future__ import annotations

import builtins
import json
import math
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest
from searching import InterruptedAt, search, tiny_plan

import nasbench.runners.search.loop
from nasbench.errors import MissingExtra
from nasbench.runners.search.spent_energy import SpentEnergy, stored_energy
from nasbench.store.query import Results
from nasbench.training.energy import Counter, EnergyMeter, counters_of, nvml_counters, rapl_counters


class Readings:
    """A counter's values, one a reading; None fails."""

    def __init__(self, *values: float | None) -> None:
        self.values = list(values)

    def __call__(self) -> float:
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        if value is None:
            raise OSError("gone")
        return value


def zone(root: Path, name: str, words: str, microjoules: int, limit: int | None = 262_143_328_850) -> Path:
    folder = root / name
    folder.mkdir()
    (folder / "name").write_text(words + "\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    if limit is not None:
        (folder / "max_energy_range_uj").write_text(f"{limit}\n")
    return folder


def test_differences_are_added_and_a_wrap_is_seen() -> None:
    with EnergyMeter([Counter("a", Readings(90.0, 95.0, 3.0, 10.0), wraps_at=100.0)]) as meter:
        assert meter.joules() == {"a": 5.0}
        assert meter.joules() == {"a": 13.0}
        assert meter.joules() == {"a": 20.0}
        assert meter.seconds > 0


def test_a_counter_that_fails_is_left_out_for_good() -> None:
    failing, other = Counter("a", Readings(1.0, 2.0, None, 9.0)), Counter("b", Readings(0.0, 1.0, 2.0, 3.0))
    never = Counter("c", Readings(None))
    with EnergyMeter([failing, other, never]) as meter:
        assert meter.joules() == {"a": 1.0, "b": 1.0}
        assert meter.joules() == {"b": 2.0}
        assert meter.joules() == {"b": 3.0}


def test_it_reads_by_itself_so_that_no_wrap_is_missed() -> None:
    readings = Readings(0.0, 60.0, 20.0, 80.0)
    with EnergyMeter([Counter("a", readings, wraps_at=100.0)], every=0.01) as meter:
        for _ in range(1000):
            if len(readings.values) == 1:
                break
            time.sleep(0.01)
        assert meter.joules() == {"a": 180.0}


def test_rapl_packages_and_their_memory(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 1)
    zone(tmp_path, "intel-rapl:0:1", "dram", 7_000_000, limit=None)
    zone(tmp_path, "intel-rapl:1", "package-1", 2)
    (tmp_path / "intel-rapl").mkdir()
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()  # as unreadable as a file of root's
    counters = rapl_counters(tmp_path)
    assert [counter.name for counter in counters] == ["rapl:package-0", "rapl:dram of package 0"]
    assert [counter.read() for counter in counters] == [5.0, 7.0]
    assert [counter.wraps_at for counter in counters] == [262_143.32885, float("inf")]
    with EnergyMeter(counters) as meter:
        (package / "energy_uj").write_text("6500000\n")
        assert meter.joules() == {"rapl:package-0": 1.5, "rapl:dram of package 0": 0.0}
    assert rapl_counters(tmp_path / "nowhere") == []


def test_no_joule_is_counted_twice(tmp_path: Path) -> None:
    """The zone psys is the whole platform, with the packages in it, and core and uncore are parts of a package."""
    names = ("package-0", "core", "uncore", "dram", "psys", "dram")
    places = ("intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:0:2", "intel-rapl:1", "intel-rapl:1:0")
    zones = [zone(tmp_path, place, name, 0) for place, name in zip(places, names)]
    with EnergyMeter(rapl_counters(tmp_path)) as meter:
        for folder, joules in zip(zones, (10, 6, 1, 2, 15, 2)):
            (folder / "energy_uj").write_text(f"{joules}000000\n")
        assert meter.joules() == {"rapl:package-0": 10.0, "rapl:dram of package 0": 2.0}


@pytest.mark.parametrize("limit", [None, "", "unknown"])
def test_a_restart_after_unknown_joules_is_left_out(tmp_path: Path, limit: str | None) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000, limit=None)
    if limit is not None:
        (package / "max_energy_range_uj").write_text(limit)
    with EnergyMeter(rapl_counters(tmp_path)) as meter:
        (package / "energy_uj").write_text("6500000\n")
        assert meter.joules() == {"rapl:package-0": 1.5}
        (package / "energy_uj").write_text("100\n")
        assert meter.joules() == {}


def test_a_counter_without_a_number_is_left_out(tmp_path: Path) -> None:
    package = zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    with EnergyMeter(rapl_counters(tmp_path)) as meter:
        (package / "energy_uj").write_text("")
        assert meter.joules() == {}
    assert rapl_counters(tmp_path) == []


class NoEnergy(Exception):
    """What NVML raises."""


def fake_nvml(monkeypatch: pytest.MonkeyPatch, **joules: float) -> None:
    """A module pynvml in whose machine there are these GPUs; one of NaN is too old to say."""
    module = ModuleType("pynvml")

    def by_uuid(uuid: str) -> str:
        if uuid not in joules:
            raise NoEnergy("not found")
        return uuid

    def energy(handle: str) -> int:
        if joules[handle] != joules[handle]:
            raise NoEnergy("not supported")
        return round(1000 * joules[handle])

    module.NVMLError = NoEnergy  # type: ignore[attr-defined]
    module.nvmlInit = lambda: None  # type: ignore[attr-defined]
    module.nvmlDeviceGetHandleByUUID = by_uuid  # type: ignore[attr-defined]
    module.nvmlDeviceGetName = lambda handle: "NVIDIA H100"  # type: ignore[attr-defined]
    module.nvmlDeviceGetTotalEnergyConsumption = energy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", module)


def test_gpus_are_read_by_their_ids_and_in_joules(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvml(monkeypatch, one=12.5, old=float("nan"))
    [counter] = nvml_counters(["one", "old", "none"])
    assert (counter.name, counter.read()) == ("nvml:one NVIDIA H100", 12.5)


def test_without_a_driver_there_is_no_gpu_to_read() -> None:
    pynvml = pytest.importorskip("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert nvml_counters(["GPU-0"]) == []
    else:
        pytest.skip("there is a driver")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def importing(name, *arguments, **named):
        if name == "pynvml":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(MissingExtra, match=r"nasbench-suite\[nvml\]"):
        nvml_counters(["GPU-0"])


def test_devices_that_are_not_here_have_no_counter() -> None:
    assert [counter for counter in counters_of(["cpu", "cuda:99"]) if counter.name.startswith("nvml")] == []


def test_a_run_keeps_its_energy_where_it_can_be_read_and_nothing_where_not(tmp_path, monkeypatch) -> None:
    def provenance_of(name: str) -> dict:
        search(tiny_plan(budget="2 children", final="none"), tmp_path / name)
        return json.loads(Results(str(tmp_path / name)).runs()["provenance"].iloc[0])

    monkeypatch.setattr(nasbench.runners.search.loop, "counters_of", lambda devices: [])
    assert "energy" not in provenance_of("a.h5")
    counter = Counter("rapl:package-0", Readings(1.0, 2.0, 5.0))
    monkeypatch.setattr(nasbench.runners.search.loop, "counters_of", lambda devices: [counter])
    kept = provenance_of("b.h5")["energy"]
    assert kept["joules"] == {"rapl:package-0": 4.0}
    assert kept["seconds"] > 0


@pytest.mark.parametrize(
    ("first", "second", "joules", "complete"),
    [
        ([10.0, 11.0, 15.0], [100.0, 102.0, 130.0], 5.0 + 30.0, True),
        ([10.0, 11.0, 15.0], [], 5.0, False),
        ([], [100.0, 102.0, 130.0], 30.0, False),
    ],
)
def test_a_resumed_run_has_the_energy_of_all_attempts(tmp_path, monkeypatch, first, second, joules, complete) -> None:
    """The counter is read when an attempt begins, and with each of the two rows of the run that it stores."""
    plan, path = tiny_plan(budget="3 children", final="none"), tmp_path / "a.h5"
    for readings, executor in ((first, InterruptedAt(1)), (second, None)):
        counters = [Counter("rapl:package-0", Readings(*readings))] if readings else []
        monkeypatch.setattr(nasbench.runners.search.loop, "counters_of", lambda devices, found=counters: found)
        with pytest.raises(KeyboardInterrupt) if executor is not None else nullcontext():
            search(plan, path, executor)
    run = Results(str(path)).runs().iloc[0]
    energy = json.loads(run["provenance"])["energy"]
    assert run["status"] == "complete"
    assert energy["joules"] == {"rapl:package-0": joules}
    assert energy.get("incomplete", False) is not complete
    assert bool(energy["seconds"] >= run["wall_seconds"]) == complete


def test_the_energy_of_a_killed_attempt_is_known_to_be_missing() -> None:
    made = {"energy": {"joules": {"rapl:package-0": 4.0}, "seconds": 9.0}}
    assert stored_energy(made, "interrupted", 9.0).complete
    assert not stored_energy(made, "running", 9.0).complete
    # Versions that stored the last attempt's alone.
    assert not stored_energy(made, "interrupted", 60.0).complete
    later = SpentEnergy({"rapl:package-0": 1.0}, 2.0).after(stored_energy(made, "running", 9.0))
    assert later.noted() == {"joules": {"rapl:package-0": 5.0}, "seconds": 11.0, "incomplete": True}


CPU, DRAM, GPU, OTHER_GPU = "rapl:package-0", "rapl:dram", "nvml:GPU-1 NVIDIA H100", "nvml:GPU-2 NVIDIA H100"


@pytest.mark.parametrize(
    ("first", "second", "complete"),
    [
        ({CPU, GPU}, {CPU, GPU}, True),
        ({CPU, GPU}, {CPU, OTHER_GPU}, True),  # devices chosen anew, e.g. resume --devices cuda:1
        ({CPU, GPU}, {GPU}, False),  # the processors' counter could not be read
        ({GPU}, {CPU, OTHER_GPU}, False),
        ({CPU}, {CPU, GPU}, False),
        ({CPU, GPU, OTHER_GPU}, {CPU, GPU}, False),
        ({CPU, DRAM}, {CPU}, False),
        ({CPU}, {GPU}, False),
        (set(), {CPU}, False),
        (set(), set(), False),
    ],
)
def test_a_sum_is_complete_only_where_all_attempts_had_the_same_counters(first, second, complete) -> None:
    spent = [SpentEnergy(dict.fromkeys(names, 1.0), 2.0) for names in (first, second)]
    assert spent[1].after(spent[0]).complete is spent[0].after(spent[1]).complete is complete


@pytest.mark.parametrize("odd", [{}, {"energy": 3}, {"energy": {"joules": {"x": "y", "z": math.inf}, "seconds": "9"}}])
def test_energy_that_somebody_changed_counts_as_none(odd) -> None:
    assert stored_energy(odd, "interrupted", 0.0).joules == {}
    assert SpentEnergy().after(stored_energy(odd, "interrupted", 0.0)).noted() == {}
