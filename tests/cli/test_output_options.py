"""--quiet, --verbose and colour: what commands print besides their results."""

from __future__ import annotations

import logging

import pytest
from commands import nasbench

from nasbench import Run
from nasbench import open as nasbench_open
from nasbench.cli.main import COMMANDS, GROUPS
from nasbench.cli.run import summarize
from nasbench.errors import InputError
from nasbench.store.writer import ResultsWriter

SEARCH = ("run", "--space", "nasnet:blocks=1", "--strategy", "random", "--budget", "2 children", "--executor", "inline")
TINY = ("--set", "data=fake:images=96,size=8,classes=3", "--set", "epochs=1")


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    return folder / "a.h5", nasbench(*SEARCH, *TINY, "-o", str(folder / "a.h5"))


def test_quiet_prints_only_the_table(searched, tmp_path):
    _, loud = searched
    assert loud.code == 0
    assert "results:" in loud.out
    quiet = nasbench(*SEARCH, *TINY, "-o", str(tmp_path / "b.h5"), "--quiet")
    assert (quiet.code, quiet.err) == (0, "")
    assert [line.split()[0] for line in quiet.out.splitlines()] == ["run", loud.out.splitlines()[1].split()[0]]


def test_quiet_leaves_out_notes_and_names_of_files_and_writes_the_files(searched):
    path, _ = searched
    words = ("compare", str(path), "--allow", "baseline")
    loud, quiet = nasbench(*words), nasbench(*words, "-q")
    assert "note: " in loud.out
    assert "wrote " in loud.out
    assert quiet.out == "".join(line for line in loud.out.splitlines(True) if not line.startswith(("note: ", "wrote ")))
    assert path.with_name("a-compare.png").exists()


@pytest.mark.parametrize("words", [("-q", "results", "check"), ("results", "-q", "check"), ("results", "check", "-q")])
def test_quiet_is_taken_before_and_after_the_command(words, searched):
    path, _ = searched
    assert nasbench(*words, str(path)).code == 0
    done = nasbench(*words, str(path), "--verbose")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "--quiet and --verbose exclude each other" in done.err


def test_errors_are_printed_with_quiet():
    done = nasbench("-q", "check", "nowhere.h5")
    assert done.code == 2
    assert done.err.startswith("error: ")


def test_verbose_logs_devices_kernels_children_and_times(tmp_path):
    path = str(tmp_path / "a.h5")
    done = nasbench("--verbose", *SEARCH, *TINY, "-o", path)
    assert done.code == 0
    for text in (
        "executor inline, devices cpu",
        "fast kernels",
        "search 0: ",
        "set-up 0.",
        "final 0: ",
        "complete after",
    ):
        assert text in done.err, text
    assert "platform " not in done.err
    assert "platform " not in done.out
    cached = nasbench(*SEARCH, *TINY, "--final", "best", "-o", path, "-vv")
    assert cached.err.count("search 0: ") == 1
    assert ": cache hit, trained as " in cached.err
    debug = nasbench(*SEARCH, *TINY, "-o", str(tmp_path / "b.h5"), "-v", "-v")
    assert "platform " in debug.err
    assert "packed in" in debug.err


def test_the_log_ends_with_the_command(searched):
    path, _ = searched
    logger = logging.getLogger("nasbench")
    before = logger.level, list(logger.handlers)
    assert "nasbench check took " in nasbench("check", str(path), "-v").err
    assert (logger.level, logger.handlers) == before
    assert nasbench("check", str(path)).err == ""


def test_warnings_of_the_store_are_lines_also_with_quiet(searched, monkeypatch):
    path, _ = searched

    def check_file(file, hash_of):
        logging.getLogger("nasbench.store.lock").warning("%s: looked at twice", file)
        raise InputError("stopped")

    monkeypatch.setattr("nasbench.store.maintenance.checking.check_file", check_file)
    assert nasbench("check", "-q", str(path)).err == f"warning: {path}: looked at twice\nerror: stopped\n"


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"NO_COLOR": "", "FORCE_COLOR": "1"}, True),
    ],
)
def test_colour_follows_the_environment_and_is_not_for_files(setting, expected, monkeypatch, searched):
    path, _ = searched
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    assert nasbench("rum").err.startswith("\x1b[31m\x1b[1merror:" if expected else "error: ")
    assert ("\x1b[" in nasbench("check", str(path)).out) == expected
    assert ("\x1b[36mnote:" in nasbench("compare", str(path), "--allow", "baseline").out) == expected
    assert ("\x1b[2m" in nasbench("check", str(path), "-v").err) == expected


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_every_command_has_both_options_once(name):
    done = nasbench(name, "--help")
    assert done.code == 0
    assert done.out.count("-q, --quiet") == done.out.count("-v, --verbose") == 1


def test_lines_to_copy_into_a_shell_are_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = nasbench(*SEARCH, *TINY, "--final", "none", "-o", "a b$(x).h5")
    assert done.code == 0, done.err
    assert "next:    nasbench query 'a b$(x).h5' --sort val_acc --head 5" in done.out
    assert done.out.endswith("nasbench compare 'a b$(x).h5'\n")


def test_a_super_network_that_takes_the_whole_budget_is_said(tmp_path, capsys):
    words = ("run", "--space", "nasbench201", "--strategy", "rs_ws", "--budget", "0.001 s")
    quick = (
        "--option",
        "epochs=1",
        "--option",
        "candidates=2",
        "--option",
        "finalists=1",
        "--set",
        "filters=4",
        "--set",
        "cells=1",
    )
    done = nasbench(*words, *quick, *TINY, "-o", str(tmp_path / "a.h5"))
    assert done.code == 0, done.err
    (note,) = [line for line in done.out.splitlines() if line.startswith("note: run ")]
    assert "counts no child: the strategy's own work took" in note
    assert "and 1 child, not covered by the budget, took" in note
    took = [float(part.split()[0]) for part in note.split("took ")[1:]]
    with nasbench_open(str(tmp_path / "a.h5")) as results:
        assert float(results.runs()["uncounted_hours"].iloc[0]) == pytest.approx(sum(took), rel=1e-3)
        assert float(results.frame()["gpu_hours"].iloc[0]) == pytest.approx(took[1], rel=1e-3)
        (run,) = results.runs().to_dict("records")
    with ResultsWriter(tmp_path / "b.h5") as writer:
        writer.put_run({**run, "status": "interrupted"})  # it may have a budget left
    capsys.readouterr()
    summarize(tmp_path / "b.h5", [run["run"]])
    assert "counts no child" not in capsys.readouterr().out


def printed(done):
    """The printed row's hours and USD, and those beside the budget, by what they are for."""
    lines = done.out.splitlines()
    beside = [line.removeprefix("beside the budget: ") for line in lines if line.startswith("beside the budget: ")]
    amounts = {
        what: tuple(float(number.split()[0]) for number in text.split(", "))
        for what, _, text in (part.partition(": ") for line in beside for part in line.split("; "))
    }
    return tuple(map(float, lines[1].split()[-2:])), amounts


def test_hours_and_usd_of_a_search_count_the_same(tmp_path):
    done = nasbench(*SEARCH, *TINY, "--price", "2", "-o", str(tmp_path / "a.h5"))
    assert done.code == 0, done.err
    (hours, usd), beside = printed(done)
    assert hours > 0
    assert usd == pytest.approx(2 * hours, rel=2e-3)
    assert list(beside) == ["final trainings"]
    final_hours, final_usd = beside["final trainings"]
    assert final_usd == pytest.approx(2 * final_hours, rel=2e-3)
    with nasbench_open(str(tmp_path / "a.h5")) as results:
        (run,) = results.runs().to_dict("records")
    assert run["final_hours"] == pytest.approx(final_hours, rel=2e-3)
    assert run["usd"] == pytest.approx(usd + final_usd, rel=5e-3)
    spent = Run(tmp_path / "a.h5")._facts()["spent"]
    assert f"; final trainings {final_hours:.4g} device-hours, {final_usd:.4g} USD" in spent


def test_children_that_the_budget_did_not_cover_are_named(tmp_path):
    words = ["0.000001 device-hours" if word == "2 children" else word for word in (*SEARCH, *TINY)]
    done = nasbench(*words, "--price", "2", "--final", "none", "-o", str(tmp_path / "a.h5"))
    assert done.code == 0, done.err
    spent, beside = printed(done)
    assert spent == (0.0, 0.0)
    hours, usd = beside["1 uncounted child (not covered by the budget)"]
    assert hours > 0
    assert usd == pytest.approx(2 * hours, rel=2e-3)
    (note,) = [line for line in done.out.splitlines() if line.startswith("note: run ")]
    assert "1 child, not covered by the budget, took" in note
    assert "counts no child: " in note


def test_the_suggested_comparison_works_without_random_search(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["evolution" if word == "random" else word for word in (*SEARCH, *TINY)]
    done = nasbench(*words, "--final", "none", "-o", "a.h5")
    assert done.code == 0, done.err
    suggested, baseline = (line.split() for line in done.out.splitlines()[-2:])
    assert suggested == ["nasbench", "compare", "a.h5", "--allow", "baseline"]
    assert nasbench(*suggested[1:]).code == 0
    assert "--add-baseline:" in baseline
    done = nasbench(*words, "--final", "none", "-o", "a.h5", "--add-baseline")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].split() == ["nasbench", "compare", "a.h5"]
    assert nasbench("compare", "a.h5").code == 0


def test_the_baseline_is_the_run_of_random_search_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["evolution" if word == "random" else word for word in (*SEARCH, *TINY, "--final", "none", "--seed", "3")]
    words += ["--option", "population=2"]
    for _ in range(2):  # the second call finds both runs complete
        done = nasbench(*words, "--add-baseline", "-o", "both.h5")
        assert done.code == 0, done.err
        assert [line.split()[1] for line in done.out.splitlines()[1:3]] == ["evolution", "random"]
    alone = nasbench(*SEARCH, *TINY, "--final", "none", "--seed", "3", "-o", "alone.h5")
    assert alone.code == 0, alone.err
    both, random = (nasbench_open(name).runs() for name in ("both.h5", "alone.h5"))
    assert sorted(both["strategy"]) == ["evolution", "random"]
    assert both.loc[both["strategy"] == "random", "run"].tolist() == random["run"].tolist()
    assert both["budget"].nunique() == both["fingerprint"].nunique() == both["seed"].nunique() == 1


def test_random_search_needs_no_second_baseline(tmp_path):
    path = tmp_path / "random.h5"
    done = nasbench(*SEARCH, *TINY, "--final", "none", "-o", str(path), "--add-baseline")
    assert done.code == 0, done.err
    assert "note: the strategy is random search itself: --add-baseline adds no other" in done.out + done.err
    assert len(nasbench_open(str(path)).runs()) == 1


@pytest.mark.parametrize("words", [(), ("--add-baseline",)])
def test_an_interruption_says_how_all_searches_go_on(words, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("nasbench.runners.suite.run_plans", stop)
    command = ["evolution" if word == "random" else word for word in (*SEARCH, *TINY)]
    done = nasbench(*command, "-o", str(tmp_path / "a.h5"), *words)
    assert "interrupted; nothing is lost. Go on with: nasbench resume " in done.err
    assert ("(the searches that have begun), or with the same command (all)" in done.err) == bool(words)
