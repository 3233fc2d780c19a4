"""How checks are run: what raises is a finding, what depends on torch waits for it, nothing is left out but what is asked to be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from typing import get_args

import pytest

from nasbench.doctor import checks
from nasbench.doctor.checks import CHECKS, DoctorCheck, Machine, diagnose
from nasbench.doctor.findings import Finding, Group
from nasbench.doctor.probe import ProbeError
from nasbench.doctor.report import TITLES, WIDTH, breaks_a_search, document, lines_of, summary
from nasbench.errors import InputError

FINE = Finding("clock", "fine", "ok", "all is well")


def raising(error, machine):
    raise error


def check(run, name="it", **more):
    return DoctorCheck(name, "clock", run, **more)


@pytest.fixture
def machine(tmp_path, monkeypatch, facts):
    monkeypatch.setattr(checks, "torch_facts", lambda: facts)
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (ZeroDivisionError("division\nby zero"), "the check failed: ZeroDivisionError: division by zero"),
        (OSError(5, "Input/output error"), "the check failed: OSError: [Errno 5] Input/output error"),
        (AssertionError(), "the check failed: AssertionError"),
        (InputError("no such thing"), "the check failed: InputError: no such thing"),
        (ImportError("no module"), "the check failed: ImportError: no module"),
    ],
)
@pytest.mark.parametrize("breaks", [True, False])
def test_a_check_that_raises_is_wrong_and_the_others_go_on(machine, error, found, breaks):
    broken = check(partial(raising, error), breaks=breaks)
    first, second = diagnose(machine, checks=[broken, check(lambda machine: [FINE])])
    assert first == Finding("clock", "it", "wrong", found, "correct that, or report it with this text", breaks)
    assert second is FINE


def test_ctrl_c_ends_it(machine):
    with pytest.raises(KeyboardInterrupt):
        diagnose(machine, checks=[check(partial(raising, KeyboardInterrupt()))])


def test_quick_leaves_out_what_takes_long(machine):
    both = [check(lambda machine: [FINE]), check(lambda machine: [FINE], long=True)]
    assert len(diagnose(machine, both)) == 2
    assert len(diagnose(Machine(machine.folder, quick=True), both)) == 1
    assert {check.name for check in CHECKS if check.long} == {"self-test", "golden"}


def test_what_needs_torch_is_not_tried_without_it_and_says_so(tmp_path, monkeypatch):
    asked = []

    def dies():
        asked.append(1)
        raise ProbeError("a process that imports torch died: SIGILL")

    monkeypatch.setattr(checks, "torch_facts", dies)
    machine = Machine(tmp_path)
    torch = next(check for check in CHECKS if check.name == "torch")
    wrong, skipped, also = diagnose(machine, checks=[torch, check(lambda machine: [FINE], needs_torch=True), torch])
    assert (wrong.level, wrong.breaks) == ("wrong", True)
    assert wrong == also
    assert wrong.found == "the check failed: ProbeError: a process that imports torch died: SIGILL"
    assert (skipped.name, skipped.level, skipped.found) == ("it", "note", "not checked, because torch does not work")
    assert asked == [1]  # each try may take minutes
    assert document(machine, [wrong], 1.0)["machine"]["torch"] is None


def test_people_who_wait_are_told(tmp_path, monkeypatch, facts):
    monkeypatch.setattr(checks, "torch_facts", lambda: facts)
    said = []
    machine = Machine(tmp_path, said.append)
    assert machine.torch is machine.torch is facts
    assert said == ["measuring torch: about 5 s ..."]


def test_every_group_of_checks_has_a_title_and_stands_together():
    groups = [check.group for check in CHECKS]
    assert set(groups) <= set(TITLES) == set(get_args(Group))
    assert [group for place, group in enumerate(groups) if group not in groups[:place]] == [
        group for place, group in enumerate(groups) if place == 0 or groups[place - 1] != group
    ]
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_a_finding_says_what_to_do_and_only_what_is_wrong_breaks():
    with pytest.raises(ValueError, match="needs advice"):
        Finding("clock", "x", "wrong", "broken")
    with pytest.raises(ValueError, match="cannot break a search"):
        Finding("clock", "x", "note", "odd", "look", True)


SLOW = Finding("clock", "s", "slow", "takes long", "be patient")
WRONG = Finding("extras", "w", "wrong", "does not fit", "pip install it")
BROKEN = Finding("extras", "b", "wrong", "word " * 60, "do " * 80, True)


def test_lines_say_the_level_and_what_to_do():
    lines = list(lines_of([FINE, SLOW, WRONG], 12.4))
    assert lines == [
        "Clocks",
        "  ok    fine: all is well",
        "  slow  s: takes long",
        "        -> be patient",
        "Extras (optional packages)",
        "  WRONG w: does not fit",
        "        -> pip install it",
        "",
        "1 ok, 1 slow, 0 to note, 1 WRONG (12 s): searches work here",
    ]


def test_long_lines_are_wrapped_and_no_word_is_lost():
    lines = list(lines_of([BROKEN], 1.0))
    assert all(len(line) <= WIDTH for line in lines)
    assert " ".join(lines).split().count("word") == 60
    assert " ".join(lines).split().count("do") == 80
    assert lines[-1] == "0 ok, 0 slow, 0 to note, 1 WRONG (1 s): a search would fail here (1 of them)"


def test_only_what_breaks_a_search_says_so():
    assert breaks_a_search([FINE, BROKEN])
    assert not breaks_a_search([FINE, SLOW, WRONG])
    assert summary([BROKEN, BROKEN, WRONG], 0).endswith("3 WRONG (0 s): a search would fail here (2 of them)")


def test_the_document_has_its_keys_and_no_number_that_json_lacks(machine):
    made = json.loads(json.dumps(document(machine, [FINE, BROKEN], 3.21), allow_nan=False))
    assert list(made) == ["format", "machine", "findings", "counts", "searches_work", "seconds"]
    assert made["format"] == 1
    assert made["findings"][0] == {
        "group": "clock",
        "name": "fine",
        "level": "ok",
        "found": "all is well",
        "advice": "",
        "breaks": False,
    }
    assert made["counts"] == {"ok": 1, "slow": 0, "note": 0, "wrong": 1}
    assert (made["searches_work"], made["seconds"]) == (False, 3.2)
    assert list(made["machine"]) == [
        *("python", "packages", "commit", "dirty", "system", "gpus", "driver", "threads", "cuda"),
        *("architecture", "processor", "limits", "torch", "folder"),
    ]
    assert set(made["machine"]["processor"]) == {"vendor", "family", "model", "stepping", "name", "flags"}
    assert made["machine"]["limits"]["memory_used"] is None or made["machine"]["limits"]["memory_used"] > 0
    assert made["machine"]["torch"]["onednn"] == "3.12.0"


def test_a_machine_that_cannot_be_described_is_a_finding(machine, monkeypatch):
    monkeypatch.setattr(checks, "limits_here", partial(raising, ValueError("odd limits"), machine))
    made = document(machine, [FINE], 1.0)
    assert made["machine"] is None
    assert made["findings"][-1]["found"] == "cannot be described: ValueError: odd limits"
    assert made["counts"]["wrong"] == 1


def test_a_missing_library_stops_no_other_check(tmp_path):
    """Run with a library that cannot be imported: its absence is found, and the rest goes on."""
    for name in ("packaging", "pydantic"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise ImportError('{name} is broken')\n")
    code = (
        "import json\n"
        "from pathlib import Path\n"
        "from nasbench.doctor.checks import CHECKS, Machine, diagnose\n"
        "chosen = [check for check in CHECKS if check.name in ('python', 'libraries', 'cores', 'golden', 'clock')]\n"
        "Machine.torch_works = True\n"
        "found = diagnose(Machine(Path('.')), checks=chosen)\n"
        "print(json.dumps([(one.name, one.level, 'is broken' in one.found) for one in found]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found[:2] == [["python", "wrong", True], ["libraries", "wrong", True]]
    assert found[2][0] == "cores"
    assert found[3] == ["golden", "wrong", True]
    assert [name for name, *_ in found[4:]] == ["steady clock", "wall clock"]
