"""Searches under a limit on the latency: measured before a proposal, charged, stored, and the same after a resume."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from commands import nasbench as command
from searching import search, stable_rows, tiny_plan
from store_rows import measurement

import nasbench
from nasbench.errors import InputError
from nasbench.measuring.limits import LatencyMeter
from nasbench.store.query import Results

LIMIT = "latency <= 5 ms"


def invented(architecture) -> dict[str, object]:
    """A measurement of an architecture: 0 to 9 ms, by its hash."""
    choices = json.dumps(list(architecture.choices))
    return measurement(0, hash=architecture.hash, choices=choices, value=0.001 * milliseconds(architecture))


def milliseconds(architecture) -> int:
    """The invented latency of an architecture: 0 to 9 ms, by its hash."""
    return int(architecture.hash, 16) % 10


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Measurements take 20 ms and give invented values; the list has the hashes in their order."""
    hashes: list[str] = []

    def measure(_, architecture):
        hashes.append(architecture.hash)
        time.sleep(0.02)
        return invented(architecture)

    monkeypatch.setattr(LatencyMeter, "_measured_here", measure)
    return hashes


def limited(**fields):
    return tiny_plan(**{"where_arch": LIMIT, "final": "none", "budget": "6 children", **fields})


@pytest.mark.parametrize(("strategy", "options"), [("random", {}), ("evolution", {"population": 3, "sample": 2})])
def test_only_fast_architectures_are_proposed_and_all_that_was_measured_is_stored(
    tmp_path: Path, measured: list[str], strategy: str, options: dict[str, int]
) -> None:
    path = tmp_path / "a.h5"
    plan = limited(strategy=strategy, options=options)
    measured.clear()
    search(plan, path)
    with Results(path) as results:
        frame, found, runs = results.frame(), results.measurements(), results.runs()
    assert len(frame) == 6
    seconds = dict(zip(found["hash"], found["value"]))
    assert all(seconds[each] <= 0.005 for each in frame["hash"])
    assert max(seconds.values()) > 0.005  # some were rejected
    assert found["hash"].tolist() == measured  # each once, in order, rejected ones too
    assert set(found["source"]) == {f"nasbench run {plan.run}"}
    assert json.loads(runs["config"][0])["where_arch"] == "latency <= 0.005"


def test_the_seconds_of_the_measurements_are_charged_to_the_searcher(tmp_path: Path, measured: list[str]) -> None:
    plan = limited()
    measured.clear()
    search(plan, tmp_path / "a.h5")
    with Results(tmp_path / "a.h5") as results:
        row = results.runs().iloc[0]
        frame = results.frame()
    assert row["searcher_hours"] * 3600 >= 0.02 * len(measured) > 0
    assert frame["searcher_seconds"].sum() >= 0.02 * len(measured)


@pytest.mark.slow
def test_a_resumed_run_chooses_by_the_stored_values(
    tmp_path: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, path = tmp_path / "whole.h5", tmp_path / "part.h5"
    fields = {"where_arch": LIMIT, "set": limited().config.set, "final": "none", "seed": 3, "progress": False}
    fields |= {"executor": "inline", "protocol": "digits"}
    nasbench.search("nasnet:blocks=1", "random", "6 children", str(whole), **fields)

    class Stop(nasbench.Callback):
        def on_child(self, child) -> None:
            if child.index == 2:
                child.stop("enough")

    stopped = nasbench.search("nasnet:blocks=1", "random", "6 children", str(path), callbacks=[Stop()], **fields)
    assert stopped.status == "interrupted"
    before = list(measured)
    # This machine is now so slow that nothing new would fit: known values must not be measured again.
    slow: list[str] = []

    def measure(_, architecture):
        slow.append(architecture.hash)
        return invented(architecture)

    monkeypatch.setattr(LatencyMeter, "_measured_here", measure)
    nasbench.resume(str(path), progress=False)
    assert [row["hash"] for row in stable_rows(path)] == [row["hash"] for row in stable_rows(whole)]
    with Results(path) as results:
        stored = results.measurements()["hash"]
    assert stored.is_unique
    assert set(stored) <= set(before) | set(slow)


def test_counts_are_checked_first(tmp_path: Path, measured: list[str]) -> None:
    plan = limited(where_arch="params <= 2000 and latency <= 5 ms")
    measured.clear()
    search(plan, tmp_path / "a.h5")
    with Results(tmp_path / "a.h5") as results:
        found, frame = results.measurements(), results.frame()
    assert (frame["params"] <= 2000).all()
    tried = [plan.space.decode(json.loads(choices)) for choices in found["choices"]]
    assert [each.hash for each in tried] == found["hash"].tolist()
    assert all(plan.space.count(each, plan.scale).params <= 2000 for each in tried)


def test_a_search_measures_on_this_machine(tmp_path: Path) -> None:
    search(limited(where_arch="latency < 10 s", budget="2 children"), tmp_path / "a.h5")
    with Results(tmp_path / "a.h5") as results:
        found = results.measurements()
    assert (found["value"] > 0).all()
    assert set(found["quantity"]) == {"latency"}
    assert set(found["batch"]) == {1}


def test_where_latencies_cannot_be_measured_the_error_says_so() -> None:
    with pytest.raises(InputError, match="executor 'ray' does not train; use inline or local"):
        limited(executor="ray")


def test_the_replay_command_refuses_latencies(tmp_path: Path) -> None:
    table = str(Path(__file__).parents[2] / "results" / "digits201.h5")
    words = ("replay", "--table", table, "--strategy", "random", "--seeds", "2", "--budget", "5 children")
    done = command(*words, "--where-arch", LIMIT, "-o", str(tmp_path / "r.h5"))
    assert done.code == 2
    assert "nasbench run only" in done.err


def test_a_latency_as_objective_is_measured_told_and_stored_and_a_resume_takes_the_stored_values(
    tmp_path: Path, measured: list[str]
) -> None:
    plan = tiny_plan(
        strategy="nsga2",
        options={"population": 3, "objectives": "error/latency"},
        final="none",
        budget="7 children",
    )
    measured.clear()
    search(plan, tmp_path / "a.h5")
    with Results(tmp_path / "a.h5") as results:
        frame, found = results.frame(), results.measurements()
    assert found["hash"].tolist() == measured == list(dict.fromkeys(frame["hash"]))
    assert set(found["source"]) == {f"nasbench run {plan.run}"}
    fewer = tiny_plan(**{**plan.config.model_dump(include={"strategy", "options", "final"}), "budget": "4 children"})
    assert fewer.latency_meter is not None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"options": {"objectives": "error/energy"}}, "a search measures latency"),
        ({"options": {"objectives": "error"}}, "two or three"),
    ],
)
def test_objectives_that_a_search_cannot_measure_are_refused(fields, told: str) -> None:
    with pytest.raises(InputError, match=told):
        tiny_plan(strategy="nsga2", **fields)
