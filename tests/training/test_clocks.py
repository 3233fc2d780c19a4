"""Seconds of a child: held, or computed by its core."""

import time
from pathlib import Path

import pytest

from nasbench.errors import InputError
from nasbench.protocols.protocol import get_protocol
from nasbench.runners.search.config import SearchConfig, resolve
from nasbench.spaces import get_space
from nasbench.spaces.base import Architecture
from nasbench.training.clocks import Clock, reading, require_clock
from nasbench.training.evaluate import evaluate
from nasbench.training.evaluation import Child
from nasbench.training.loop import History

SLEPT = 0.05


def test_processor_time_leaves_out_what_the_process_waits() -> None:
    held, processor = reading("held"), reading("processor")
    time.sleep(SLEPT)
    assert reading("held") - held >= SLEPT
    assert reading("processor") - processor < SLEPT


@pytest.mark.parametrize(("clock", "counts_waiting"), [("held", True), ("processor", False)])
def test_a_history_counts_by_its_clock(clock: Clock, counts_waiting: bool) -> None:
    history = History(clock=clock)
    with history.training():
        time.sleep(SLEPT)
    with history.evaluating():
        time.sleep(SLEPT)
    assert (history.train_seconds >= SLEPT) is counts_waiting
    assert (history.eval_seconds >= SLEPT) is counts_waiting


def test_all_seconds_of_a_child_are_counted_by_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor clock that stands still gives no seconds in any column, and the scores are those of every clock."""
    space = get_space("nasbench201")
    protocol = get_protocol("digits", {"epochs": 2, "filters": 4})
    child = Child(Architecture(space, (3,) * len(space.decisions)), protocol, 0)
    held = evaluate(child)
    monkeypatch.setattr("nasbench.training.clocks._READINGS", {"held": time.perf_counter, "processor": lambda: 7.0})
    still = evaluate(Child(child.architecture, protocol, 0, clock="processor"))
    assert min(held.train_seconds, held.eval_seconds, held.setup_seconds) > 0
    assert (still.train_seconds, still.eval_seconds, still.setup_seconds) == (0, 0, 0)
    assert still.curves["seconds"] == (0,) * held.epochs
    assert still.val_acc == held.val_acc


@pytest.mark.parametrize(("device", "threads"), [("cuda", 1), ("cpu", 2)])
def test_processor_time_is_refused_where_it_is_not_the_time_of_one_device(device: str, threads: int) -> None:
    require_clock("held", device, threads)
    require_clock("processor", "cpu", 1)
    with pytest.raises(InputError, match=f"not on {device} with {threads}"):
        require_clock("processor", device, threads)


def test_searches_are_charged_held_time(tmp_path: Path) -> None:
    config = SearchConfig(
        space="nasbench201", protocol="digits", strategy="random", budget="1 children", clock="processor"
    )
    with pytest.raises(InputError, match="only for tables"):
        resolve(config)
