"""The reference runs that ship: a sample of each strategy's searches is replayed, and files of runs are read as written."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from optional_packages import need_package_of

from nasbench.api.benching import open_tasks
from nasbench.benchmark.definition import exact_mean, load_benchmark
from nasbench.benchmark.incumbents import read_runs, runs_bytes, write_runs
from nasbench.cli.main import nasbench as nasbench_command
from nasbench.errors import InputError
from nasbench.provenance import other_versions
from nasbench.runners.bench.reference import equal_searches, make_reference, reference_path, reference_runs, setting_of
from nasbench.runners.bench.replays import replay_task
from nasbench.runners.bench.submissions import check_entry
from nasbench.tabular.array_files import packed

SUITE = load_benchmark("suite-v1")
FOLDER = Path(os.environ.get("NASBENCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_nb201 = pytest.mark.skipif(
    not (FOLDER / "nb201_tss.npz").exists(), reason="needs nb201_tss.npz (NASBENCH_SHARED_DATA names its folder)"
)
# These take a quarter of a second to a minute a search.
SLOW = (
    *("bohb", "optuna", "ppo", "reinforce", "parego", "zero_cost"),
    *("bananas:predictor=forest", "gp:kernel=hamming", "npenas:predictor=forest", "syne_tune:searcher=kde"),
)
USED_PACKAGES = {
    **dict.fromkeys(("bananas", "npenas"), "scikit-learn"),
    "optuna": "optuna",
    "pymoo": "pymoo",
    "syne_tune": "syne-tune",
}
REFERENCE = reference_runs(SUITE)


def test_they_ship_for_the_suite_in_few_bytes():
    assert {"random", "evolution", "local_search", "reinforce_logits"} <= {entry.shown for entry in REFERENCE.entries}
    assert reference_path("suite-v1").stat().st_size < 5_000_000
    assert {"asha", "hyperband", "dehb", "median_stop", "nsga2"} <= {entry.shown for entry in REFERENCE.entries}
    for entry in REFERENCE.entries:
        expected = [SUITE.protocol.reference_seeds] * len(SUITE.tasks)
        assert [len(runs.seeds) for runs in entry.runs.values()] == expected, entry.shown


def test_a_mean_that_another_numpy_rounded_otherwise_is_that_of_the_same_table():
    scale, *_ = REFERENCE.scales.values()
    other = replace(
        scale, typical=np.nextafter(scale.typical, 1), searched_typical=np.nextafter(scale.searched_typical, 0)
    )
    assert other != scale
    assert scale.agrees(other)
    for field, value in (("typical", scale.typical + 1e-9), ("architectures", 2), ("label", ""), ("seconds", {})):
        assert not scale.agrees(replace(scale, **{field: value})), field
    assert not scale.agrees(replace(scale, best="0.9"))


def test_a_mean_does_not_depend_on_the_order_in_which_numbers_are_added():
    values = np.random.default_rng(0).random(100_000)
    assert exact_mean(values) == exact_mean(values[::-1]) == exact_mean([*values, np.nan])
    assert exact_mean([1e100, 1.0, -1e100]) == 1 / 3
    assert np.isnan(exact_mean([]))


def require_versions(entry):
    """Skip a strategy that needs a missing package, or uses one of another version than its reference runs were made with."""
    need_package_of(entry.shown.partition(":")[0])
    package = USED_PACKAGES.get(entry.shown.partition(":")[0], "")
    for other in other_versions(REFERENCE.made):
        if package and other.startswith(f"{package} "):
            pytest.skip(f"its searches were made with {other}")


def require_reproduced(entry, searches):
    opened, missing = open_tasks(SUITE)
    assert missing == []
    found = check_entry(entry, REFERENCE, SUITE, opened, searches, 1, run_code=False)
    assert [(each.reproduced, each.faults, len(each.sampled)) for each in found] == [(True, (), searches)] * len(found)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "entry", [each for each in REFERENCE.entries if each.shown not in SLOW], ids=lambda each: each.shown
)
def test_a_sample_of_each_strategy_is_replayed(entry):
    require_versions(entry)
    require_reproduced(entry, 1)


@pytest.mark.slow
@pytest.mark.parametrize("entry", REFERENCE.entries, ids=lambda each: each.shown)
def test_a_larger_sample_is_replayed(entry):
    require_versions(entry)
    if entry.shown == "zero_cost":
        pytest.skip("its scores of untrained networks may differ between processors in the last bit")
    require_reproduced(entry, 2 if entry.shown == "parego" else 5)


def test_runs_on_the_tasks_of_the_full_suite_ship():
    full = load_benchmark("suite-v1-full")
    found = reference_runs(full)
    assert found is not None
    assert found.tasks == [task.name for task in full.tasks]
    assert sum("nasbench201-cifar10" in entry.runs for entry in found.entries) >= 16
    everywhere = [entry for entry in found.entries if len(entry.runs) == len(full.tasks)]
    assert {"random", "evolution", "local_search", "reinforce_logits"} <= {entry.shown for entry in everywhere}
    assert {len(runs.seeds) for entry in found.entries for runs in entry.runs.values()} == {200}
    sizes = [reference_path(name).stat().st_size for name in ("suite-v1", "suite-v1-full")]
    assert sum(sizes) < 5_000_000


def test_a_file_with_other_numbers_of_searches_says_so(tmp_path, capsys):
    """Runs of an earlier call stay as they are: three searches of one strategy, four of the other."""
    path = str(tmp_path / "r.npz")
    base = ["bench", "reference", "--task", "digits201-2", "-o", path, "--quiet"]
    nasbench_command.main([*base, "random", "--seeds", "3"], standalone_mode=False)
    assert read_runs(path).about == {"seeds": 3}
    nasbench_command.main([*base[:-1], "random", "local_search", "--seeds", "4"], standalone_mode=False)
    said = capsys.readouterr()
    assert "4 searches a task by local_search; 3 searches a task by random" in said.out + said.err
    assert "runs of earlier calls are kept as they were, with 3 searches a task" in said.out
    assert read_runs(path).about == {}


def test_more_searches_than_sixteen_bits_count_are_read_back_as_they_were(tmp_path):
    """The number of an incumbent's search had two bytes."""
    found = next(entry for entry in REFERENCE.entries if entry.shown == "random")
    one = found.runs["digits201-2"]
    first = {
        name: getattr(one, name)[one.runs == 0]
        for name in ("places", "codes", "seconds", "outcomes", "scores", "stops")
    }
    many, each = 65_600, len(first["places"])
    runs = replace(
        one,
        seeds=np.arange(many),
        children=np.repeat(one.children[:1], many),
        spent=np.repeat(one.spent[:1], many),
        runs=np.repeat(np.arange(many), each),
        **{name: np.tile(values, many) for name, values in first.items()},
    )
    path = tmp_path / "many.npz"
    write_runs(path, replace(REFERENCE, entries=(replace(found, runs={"digits201-2": runs}),)))
    again = read_runs(path).entries[0].runs["digits201-2"]
    assert np.array_equal(again.runs, runs.runs)
    assert np.array_equal(again.codes, runs.codes)


@needs_nb201
def test_a_sample_of_the_full_suite_is_replayed():
    full = load_benchmark("suite-v1-full")
    found, (opened, _) = reference_runs(full), open_tasks(full, [FOLDER])
    for entry in found.entries:
        if entry.shown in ("random", "local_search", "nsga2", "mo_evolution", "reinforce_logits"):
            checked = check_entry(entry, found, full, opened, 2, 1, run_code=False)
            assert "nasbench201-cifar10" in [each.task for each in checked]
            assert all((each.reproduced, each.faults, len(each.sampled)) == (True, (), 2) for each in checked)


def test_strategies_with_options_and_a_task_are_kept_apart():
    opened, _ = open_tasks(SUITE)

    def run(names, earlier):
        return make_reference(SUITE, opened, names, 2, 1, earlier, lambda *_: None, lambda _: None)[0]

    first = run(["evolution:population=5,sample=2", "evolution"], None)
    again = run(["evolution:population=6,sample=2"], first)
    labels = ["evolution", "evolution:population=5,sample=2", "evolution:population=6,sample=2"]
    assert [entry.shown for entry in again.entries] == labels
    codes = [next(iter(entry.runs.values())).codes.tolist() for entry in again.entries]
    assert len({str(each) for each in codes}) == 3


def test_smaller_budgets_are_beginnings_of_the_largest():
    opened, _ = open_tasks(SUITE)
    for name, each in opened.items():
        runs, _ = replay_task(setting_of("evolution"), each, SUITE.protocol, range(4), timed=False)
        for size in ("small", "medium"):
            budgets = dict.fromkeys(each.task.budgets, each.task.budgets[size])
            smaller = replace(each, task=each.task.model_copy(update={"budgets": budgets}))
            alone, _ = replay_task(setting_of("evolution"), smaller, SUITE.protocol, range(4), timed=False)
            end = alone.at(np.inf)
            assert runs.codes[runs.at(each.task.seconds(size))].tolist() == alone.codes[end].tolist(), name


def test_files_of_runs_read_as_they_were_written(tmp_path, made):
    write_runs(tmp_path / "runs.npz", made)
    again = read_runs(tmp_path / "runs.npz")
    assert runs_bytes(again) == runs_bytes(made)
    for entry, read in zip(made.entries, again.entries, strict=True):
        for task, runs in entry.runs.items():
            assert equal_searches(read.runs[task], runs) == len(runs.seeds)


def test_damaged_files_of_runs_are_one_line(tmp_path, made):
    content = runs_bytes(made)
    path = tmp_path / "runs.npz"
    for broken in (
        b"",
        content[:100],
        content[: len(content) // 2],
        packed({"kind": "another", "format": 1}, {}),
    ):
        path.write_bytes(broken)
        with pytest.raises(InputError) as error:
            read_runs(path)
        assert len(str(error.value).splitlines()) == 1


def test_runs_of_another_suite_are_refused(made):
    with pytest.raises(InputError, match="the suite has changed since; make the runs again"):
        made.require(SUITE, "runs.npz")
    with pytest.raises(InputError, match="scores of different suites are not compared; give --suite other"):
        replace(made, suite="other").require(SUITE, "runs.npz")


def test_reference_runs_are_made_once_and_what_cannot_search_is_named():
    opened, _ = open_tasks(SUITE)
    stored, counted = [], []

    def ended(strategy, searches):
        counted.append((strategy, searches))

    arguments = (SUITE, opened, ["random", "pnas"], 3, 1)
    found, skipped = make_reference(*arguments, None, ended, stored.append)
    assert [each.strategy for each in skipped] == ["pnas"]
    assert (len(stored), counted) == (1, [("random", 3)] * len(opened))
    again, _ = make_reference(*arguments, found, ended, stored.append)
    assert (len(stored), counted) == (1, [("random", 3)] * len(opened))
    assert [entry.shown for entry in again.entries] == ["random"]
    expected = next(entry for entry in REFERENCE.entries if entry.shown == "random")
    for task, runs in found.entries[0].runs.items():
        assert equal_searches(runs, expected.runs[task]) == 3
