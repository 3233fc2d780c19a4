"""Python, libraries and extras: each thing that can be wrong with them is found, by name, with what to do."""

from __future__ import annotations

import os
import sys
from importlib import metadata

import pytest

from nasbench.doctor import versions
from nasbench.doctor.extras import USES, check_chromium
from nasbench.doctor.versions import (
    MODULES,
    SUITE,
    Installed,
    check_extras,
    check_imports,
    check_libraries,
    check_python,
    modules_of,
)

CLASSIFIERS = [f"Programming Language :: Python :: 3.{minor}" for minor in (10, 11, 12, 13)]
NEEDS = ["numpy>=1.26", "torch>=2.6", "torchvision>=0.21", "pillow>=10", 'tomli>=2.0; python_version < "3.0"']
EXTRAS = ['deflate>=0.9; extra == "fast"', 'pyarrow>=15; extra == "parquet"', 'pytest>=8; extra == "dev"']
THERE = {
    "nasbench-suite": "0.1.0",
    "numpy": "2.4.6",
    "torch": "2.14.1+cu130",
    "torchvision": "0.29.1",
    "pillow": "13.0",
}


def installed(there=THERE, needs=(*NEEDS, *EXTRAS), others=None, classifiers=CLASSIFIERS):
    return Installed(there, {"nasbench-suite": needs, **(others or {})}, classifiers, ">=3.10")


@pytest.mark.parametrize(
    ("version", "level", "breaks"),
    [((3, 9), "wrong", True), ((3, 10), "ok", False), ((3, 13), "ok", False), ((3, 14), "note", False)],
)
def test_pythons_are_compared_with_those_that_are_supported(version, level, breaks):
    (found,) = check_python(version, installed())
    assert (found.level, found.breaks) == (level, breaks)
    assert "3.10 to 3.13" in found.found


def test_without_an_installed_suite_nothing_is_claimed_of_versions():
    assert [finding.level for finding in check_python((3, 11), None)] == ["note"]
    assert [finding.level for finding in check_python((3, 11), installed(classifiers=()))] == ["note"]
    (libraries,) = check_libraries(None)
    assert (libraries.level, libraries.advice) == ("note", "in its folder: pip install -e .")
    assert {finding.level for finding in check_extras(None, USES)} == {"note"}


def test_libraries_that_fit_are_one_line():
    (found,) = check_libraries(installed())
    assert (found.level, found.name) == ("ok", "libraries")
    assert "numpy 2.4.6" in found.found
    assert found.found.startswith("4 are installed")  # tomli is for older Pythons, deflate for an extra


@pytest.mark.parametrize(
    ("there", "found", "advice", "breaks"),
    [
        (
            {"torch": "2.5.1"},
            "torch 2.5.1 is installed; nasbench-suite needs torch>=2.6",
            "pip install 'torch>=2.6'",
            True,
        ),
        ({"torch": None}, "torch is missing; nasbench-suite needs torch>=2.6", "pip install 'torch>=2.6'", True),
        (
            {"torch": "2.7.0+cpu"},
            "torchvision 0.29.1 needs torch==2.14.1, but torch 2.7.0+cpu is installed",
            "pip install --upgrade torchvision torch",
            False,
        ),
        (
            {"pillow": "9.0"},
            "pillow 9.0 is installed; nasbench-suite needs pillow>=10",
            "pip install 'pillow>=10'",
            True,
        ),
    ],
)
def test_versions_that_do_not_fit_are_named(there, found, advice, breaks):
    versions = {name: version for name, version in {**THERE, **there}.items() if version is not None}
    others = {"torchvision": ["torch==2.14.1", "numpy", 'nothing>=9; extra == "scipy"']}
    wrong = [finding for finding in check_libraries(installed(versions, others=others)) if found == finding.found]
    assert [(finding.level, finding.advice, finding.breaks) for finding in wrong] == [("wrong", advice, breaks)]


def test_development_releases_count_as_what_they_are():
    assert check_libraries(installed({**THERE, "torch": "2.15.0.dev20270101"}))[0].level == "ok"
    assert check_libraries(installed({**THERE, "torch": "2.6.0rc1"}))[0].level == "wrong"


def test_this_environment_is_read_as_it_is():
    here = Installed.here()
    assert here is not None
    assert here.requires_python == ">=3.10"
    needed = here.required_by(SUITE)
    assert {"torch", "numpy", "click"} <= {one.name for one in needed}
    assert "pytest" not in {one.name for one in needed}
    assert [one.name for one in here.required_by(SUITE, "fast")] == ["deflate", "numba"]
    assert here.version(needed[0]) == metadata.version(needed[0].name)
    assert modules_of(needed)[0] == "torch"
    assert {"PIL", "sklearn"} <= set(modules_of(needed))
    assert not set(MODULES) & set(modules_of(needed))


def test_every_extra_of_the_suite_has_a_use():
    named = metadata.metadata(SUITE).get_all("Provides-Extra")
    assert set(USES) == set(named)


def test_extras_are_there_or_missing_or_too_old():
    uses = {"fast": "reading", "parquet": "export", "dev": "tests", "nvml": "energy"}
    found = check_extras(installed({**THERE, "deflate": "0.9", "pyarrow": "14.0"}), uses)
    assert [(finding.name, finding.level, finding.advice) for finding in found] == [
        ("extra fast", "ok", ""),
        ("extra parquet", "wrong", "pip install 'nasbench-suite[parquet]'"),
        ("extra dev", "note", "pip install 'nasbench-suite[dev]'"),
        ("extra nvml", "note", "pip install 'nasbench-suite[nvml]'"),
    ]
    assert "pyarrow 14.0 (needs >=15)" in found[1].found
    assert "not installed: pytest" in found[2].found
    assert "no such extra" in found[3].found
    assert not any(finding.breaks for finding in found)


def test_a_browser_is_found_or_not(tmp_path):
    (missing,) = check_chromium(path=str(tmp_path))
    assert (missing.level, missing.breaks) == ("note", False)
    program = tmp_path / "chromium-browser"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (there,) = check_chromium(path=str(tmp_path))
    assert there.level == "ok"
    assert str(program) in there.found


@pytest.fixture
def broken(tmp_path):
    """An environment with modules that cannot be imported, each in its way."""
    (tmp_path / "sound.py").write_text("")
    (tmp_path / "talks.py").write_text("print('hello')\n")
    (tmp_path / "mismatched.py").write_text(
        "raise ImportError('numpy.dtype size changed,\\n may indicate incompatibility')\n"
    )
    (tmp_path / "crashing.py").write_text(
        "import os, signal, sys\nprint('Illegal', file=sys.stderr)\nos.kill(os.getpid(), signal.SIGILL)\n"
    )
    (tmp_path / "leaving.py").write_text("raise SystemExit(7)\n")
    (tmp_path / "hanging.py").write_text("import time\ntime.sleep(60)\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])}


def test_modules_that_can_be_imported_are_one_line(broken):
    (found,) = check_imports(["sound", "talks", "json"], broken)
    assert (found.level, found.found) == ("ok", "all 3 libraries can be imported together")


def test_every_module_that_fails_is_named_and_the_others_are_tried_all_the_same(broken):
    found = check_imports(["sound", "mismatched", "talks", "crashing", "leaving", "missing", "json"], broken)
    assert [(finding.level, finding.breaks) for finding in found] == [("wrong", True)] * 4
    assert [finding.found for finding in found] == [
        "import mismatched: ImportError: numpy.dtype size changed, may indicate incompatibility",
        "import crashing: the process died: SIGILL: Illegal",
        "import leaving: the process died: exit status 7",
        "import missing: ModuleNotFoundError: No module named 'missing'",
    ]
    assert found[0].advice.endswith("pip install --upgrade --force-reinstall mismatched")


@pytest.mark.slow
def test_an_import_that_hangs_is_given_up(broken, monkeypatch):
    monkeypatch.setattr(versions, "IMPORT_SECONDS", 5.0)
    found = check_imports(["sound", "hanging", "json"], broken)
    assert [finding.found for finding in found] == ["import hanging: did not end within 5 s"]


def test_the_package_of_a_module_with_another_name_is_advised(tmp_path):
    (tmp_path / "PIL.py").write_text("raise ImportError('no')\n")
    (found,) = check_imports(["PIL"], {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert found.advice.endswith("--force-reinstall pillow")


def test_the_interpreter_of_this_process_is_supported():
    assert check_python(sys.version_info[:2], Installed.here())[0].level == "ok"
