"""All checks in their order, and the function that runs them. An exception in a check becomes a finding.

Each check imports what it needs when it runs, so a missing or broken library becomes a finding and stops no other
check.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nasbench.doctor.findings import Finding, Group
from nasbench.doctor.limits import Limits, limits_here
from nasbench.doctor.probe import TorchFacts, torch_facts

if TYPE_CHECKING:
    from nasbench.doctor.versions import Installed

Say = Callable[[str], None]


class Machine:
    """This machine as the checks see it. Measurements that take seconds are made once, at their first use.

    Args:
        folder: folder for results.
        say: called with each progress message.
        quick: True to leave out long checks.
    """

    def __init__(self, folder: Path, say: Say = lambda line: None, quick: bool = False) -> None:
        self.folder, self.say, self.quick = folder, say, quick
        self.architecture = platform.machine()

    @cached_property
    def made(self) -> dict[str, Any]:
        """Description of the machine that results files store, see `nasbench.provenance`."""
        from nasbench.provenance import provenance

        return provenance()

    @cached_property
    def installed(self) -> Installed | None:
        """The distributions of this environment."""
        from nasbench.doctor.versions import Installed

        return Installed.here()

    @cached_property
    def limits(self) -> Limits:
        """Processors and memory that this process may use."""
        return limits_here()

    @cached_property
    def _torch(self) -> TorchFacts | Exception:
        self.say("measuring torch: about 5 s ...")
        try:
            return torch_facts()
        except Exception as error:  # raised by each use of `torch`
            return error

    @property
    def torch(self) -> TorchFacts:
        """Properties of torch on this machine.

        Raises:
            ProbeError: when torch does not work; the same one at each use.
        """
        if isinstance(self._torch, Exception):
            raise self._torch
        return self._torch

    @property
    def torch_works(self) -> bool:
        """True if torch can be imported and computes."""
        return not isinstance(self._torch, Exception)


@dataclass(frozen=True)
class DoctorCheck:
    """A check.

    Args:
        name: the property checked; also the name of the finding if the check raises an exception.
        group: group of its findings.
        run: runs the check and returns its findings.
        long: True if it takes many seconds; a quick diagnosis leaves it out.
        needs_torch: True to leave it out if torch does not work.
        breaks: True if a search may fail when this check raises an exception.
    """

    name: str
    group: Group
    run: Callable[[Machine], Sequence[Finding]]
    long: bool = False
    needs_torch: bool = False
    breaks: bool = True


def diagnose(machine: Machine, checks: Sequence[DoctorCheck] | None = None) -> list[Finding]:
    """Run checks one after the other.

    Args:
        machine: the machine to check; its `quick` leaves out long checks.
        checks: the checks to run; None for all.

    Returns:
        All findings. A check that raises an exception gives one of level "wrong".
    """
    findings: list[Finding] = []
    for check in CHECKS if checks is None else checks:
        if machine.quick and check.long:
            continue
        if check.needs_torch and not machine.torch_works:
            findings.append(Finding(check.group, check.name, "note", "not checked, because torch does not work"))
            continue
        try:
            findings += check.run(machine)
        except Exception as error:
            findings.append(_raised(check, error))
    return findings


def _raised(check: DoctorCheck, error: Exception) -> Finding:
    said = " ".join(str(error).split())[:300]
    found = f"the check failed: {type(error).__name__}{': ' * bool(said)}{said}"
    return Finding(check.group, check.name, "wrong", found, "correct that, or report it with this text", check.breaks)


def _python(machine: Machine) -> list[Finding]:
    from nasbench.doctor.versions import check_python

    return check_python(sys.version_info[:2], machine.installed)


def _libraries(machine: Machine) -> list[Finding]:
    from nasbench.doctor.versions import check_libraries

    return check_libraries(machine.installed)


def _imports(machine: Machine) -> list[Finding]:
    from nasbench.doctor.versions import SUITE, check_imports, modules_of

    if machine.installed is None:
        return []  # the required libraries are unknown, which the check of libraries reports
    machine.say("importing the libraries: about 5 s ...")
    there = [one for one in machine.installed.required_by(SUITE) if machine.installed.version(one) is not None]
    return check_imports(modules_of(there))


def _torch(machine: Machine) -> list[Finding]:
    from nasbench.doctor.torch_build import check_instruction_sets, check_torch
    from nasbench.kernels.processor import processor_here

    found = check_instruction_sets(machine.torch, processor_here(), machine.architecture, os.environ)
    return [*check_torch(machine.torch), *found]


def _identity(machine: Machine) -> list[Finding]:
    from nasbench.doctor.processor import check_identity
    from nasbench.kernels.processor import processor_here

    return check_identity(processor_here(), machine.architecture)


def _cores(machine: Machine) -> list[Finding]:
    from nasbench.doctor.processor import check_cores

    return check_cores(machine.limits)


def _load(machine: Machine) -> list[Finding]:
    from nasbench.doctor.processor import check_load

    return check_load(os.getloadavg()[0], machine.limits)


def _memory(machine: Machine) -> list[Finding]:
    from nasbench.doctor.processor import check_memory

    return check_memory(machine.limits)


def _settings(machine: Machine) -> list[Finding]:
    from nasbench.doctor.processor import check_settings

    return check_settings(os.environ, machine.limits)


def _speed(machine: Machine) -> list[Finding]:
    from nasbench.doctor.processor import check_bfloat16, check_vector_kernels
    from nasbench.kernels.processor import processor_here

    return [*check_vector_kernels(machine.torch), *check_bfloat16(processor_here(), machine.torch)]


def _self_test(machine: Machine) -> list[Finding]:
    from nasbench.doctor.kernels import check_self_test
    from nasbench.kernel_tests.self_test import quick_self_test

    machine.say("self-test of the kernels: about 10 s ...")
    return check_self_test(quick_self_test())


def _golden(machine: Machine) -> list[Finding]:
    from nasbench.doctor.kernels import check_golden
    from nasbench.training.golden import GOLDEN, train_golden

    machine.say(f"{len(GOLDEN)} golden trainings: about 25 s ...")
    return check_golden(train_golden(), machine.architecture)


def _cuda(machine: Machine) -> list[Finding]:
    from nasbench.doctor.cuda_probe import CudaFacts, cuda_facts
    from nasbench.doctor.devices import Hardware, cards_here, check_cuda

    built_for = machine.torch.cuda
    facts = CudaFacts((), "", ())
    if built_for:
        if machine.made["driver"]:
            machine.say(f"CUDA devices{'' if machine.quick else ' and their self-tests'}: about 20 s ...")
        facts = cuda_facts(machine.quick)
    hardware = Hardware(cards_here(), machine.made["driver"], os.environ.get("CUDA_VISIBLE_DEVICES"))
    return check_cuda(facts, built_for, hardware)


def _nvml(machine: Machine) -> list[Finding]:
    from nasbench.doctor.energy import check_nvml

    return check_nvml(len(machine.made["gpus"]))


def _rapl(machine: Machine) -> list[Finding]:
    from nasbench.doctor.energy import check_rapl

    return check_rapl()


def _folder(machine: Machine) -> list[Finding]:
    from nasbench.doctor.storage import check_folder

    return check_folder(machine.folder)


def _temporary_files(machine: Machine) -> list[Finding]:
    from nasbench.doctor.storage import check_temporary_files

    return check_temporary_files()


def _clock(machine: Machine) -> list[Finding]:
    from nasbench.doctor.clock import check_clock, clock_facts

    return check_clock(clock_facts())


def _extras(machine: Machine) -> list[Finding]:
    from nasbench.doctor.extras import USES
    from nasbench.doctor.versions import check_extras

    return check_extras(machine.installed, USES)


def _chromium(machine: Machine) -> list[Finding]:
    from nasbench.doctor.extras import check_chromium

    return check_chromium()


CHECKS: Final = (
    DoctorCheck("python", "versions", _python),
    DoctorCheck("libraries", "versions", _libraries),
    DoctorCheck("imports", "versions", _imports),
    DoctorCheck("torch", "versions", _torch),
    DoctorCheck("identity", "processor", _identity),
    DoctorCheck("cores", "processor", _cores),
    DoctorCheck("load", "processor", _load, breaks=False),
    DoctorCheck("memory", "processor", _memory),
    DoctorCheck("settings", "processor", _settings, breaks=False),
    DoctorCheck("speed", "processor", _speed, needs_torch=True, breaks=False),
    DoctorCheck("self-test", "kernels", _self_test, long=True, needs_torch=True),
    DoctorCheck("golden", "kernels", _golden, long=True, needs_torch=True),
    DoctorCheck("CUDA", "devices", _cuda, needs_torch=True),
    DoctorCheck("NVML", "devices", _nvml, breaks=False),
    DoctorCheck("RAPL", "devices", _rapl, breaks=False),
    DoctorCheck("folder", "storage", _folder),
    DoctorCheck("temporary files", "storage", _temporary_files, breaks=False),
    DoctorCheck("clock", "clock", _clock),
    DoctorCheck("extras", "extras", _extras, breaks=False),
    DoctorCheck("chromium", "extras", _chromium, breaks=False),
)
"""All checks, in the order in which they are run and shown."""
