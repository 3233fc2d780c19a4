"""Callbacks see what is stored, stop a run so that it can go on, and cost it nothing."""

from __future__ import annotations

import math
import time

import pytest

import nasbench
from nasbench.errors import InputError
from nasbench.runners.search.commit_policy import LOOK_AHEAD


class Diary(nasbench.Callback):
    """Writes down what it is called with."""

    def __init__(self, stop_at: int | None = None):
        self.lines, self.children, self.starts, self.stop_at = [], [], [], stop_at

    def on_start(self, search):
        self.lines.append("start")
        self.starts.append(search)

    def on_child(self, child):
        self.lines.append(f"child {child.index}")
        self.children.append(child)
        if self.stop_at == child.index:
            child.stop("the diary is full")

    def on_incumbent(self, child):
        self.lines.append(f"incumbent {child.index}")

    def on_final(self, child):
        self.lines.append(f"final {child.index}")

    def on_end(self, search, status):
        self.lines.append(status)


def hashes(run) -> list[str]:
    return run.frame()["hash"].tolist()


def test_callbacks_see_each_child_once_in_the_order_of_the_file(tiny):
    diary, indices = Diary(), []
    run = tiny(callbacks=[diary, lambda child: indices.append(child.index)])
    best = run.incumbents["index"].tolist()
    expected = ["start"]
    for index in run.frame("search")["index"]:
        expected += [f"child {index}", *([f"incumbent {index}"] if index in best else [])]
    expected += [f"final {index}" for index in run.frame("final")["index"]]
    assert diary.lines == [*expected, "complete"]
    assert indices == list(range(6))


def test_a_finished_child_says_what_its_row_says(tiny):
    diary = Diary()
    run = tiny(callbacks=[diary])
    stored = run.frame("search")
    for child, row in zip(diary.children, stored.to_dict("records")):
        assert (child.architecture.hash, child.val_acc, child.status) == (row["hash"], row["val_acc"], row["status"])
        assert math.isnan(child.test_acc)
        assert child.curves["val_acc"][-1] == row["val_acc"]
    assert [child.best_val_acc for child in diary.children] == stored["val_acc"].cummax().tolist()
    assert [child.children for child in diary.children] == [1, 2, 3, 4, 5, 6]
    assert [child.share for child in diary.children] == pytest.approx([n / 6 for n in range(1, 7)])
    assert (diary.starts[0].run, diary.starts[0].children) == (run.id, 0)
    assert diary.starts[0].config["strategy"] == "random"


@pytest.mark.slow
def test_a_callback_stops_a_run_which_then_goes_on_as_if_it_had_not(tiny, tmp_path):
    diary = Diary(stop_at=2)
    stopped = tiny(callbacks=diary)
    assert (stopped.status, stopped.stop_reason) == ("interrupted", "the diary is full")
    assert diary.lines[-1] == "interrupted"
    assert len(stopped.frame()) == 3
    later = Diary()
    (resumed,) = nasbench.resume(tmp_path / "a.h5", callbacks=later, progress=False)
    whole = tiny(output=tmp_path / "b.h5")
    assert (resumed.status, resumed.stop_reason, hashes(resumed)) == ("complete", "", hashes(whole))
    assert [child.index for child in later.children] == [3, 4, 5]
    assert later.starts[0].children == 3
    assert later.children[0].best_val_acc == whole.frame("search")["val_acc"][:4].max()


def test_a_run_whose_scores_are_all_reused_is_stopped_too(tiny, tmp_path):
    whole = tiny()
    stopped = tiny(output=tmp_path / "b.h5", cache=[whole.path], callbacks=Diary(stop_at=1))
    assert (stopped.frame()["cached_from"] != "").all()
    assert (stopped.status, len(stopped.frame())) == ("interrupted", 2)


def test_a_stop_at_the_last_child_leaves_the_final_trainings_for_later(tiny, tmp_path):
    stopped = tiny(callbacks=Diary(stop_at=5))
    assert (stopped.status, len(stopped.frame("final"))) == ("interrupted", 0)
    (resumed,) = nasbench.resume(tmp_path / "a.h5", progress=False)
    assert len(resumed.frame("final")) == len(resumed.incumbents)


def test_a_stop_among_the_final_trainings_keeps_those_that_are_done(tiny, tmp_path):
    class Once(nasbench.Callback):
        def on_final(self, child):
            child.stop()

    stopped = tiny(callbacks=Once())
    assert (stopped.status, stopped.stop_reason) == ("interrupted", "a callback asked for it")
    assert len(stopped.frame("final")) == 1
    assert nasbench.resume(tmp_path / "a.h5", progress=False)[0].status == "complete"


@pytest.mark.slow
@pytest.mark.parametrize("ordered", [False, True])
def test_a_run_of_worker_processes_is_stopped_and_goes_on(tiny, tmp_path, ordered):
    # Children that finished before the stop are stored. An ordered run has at most LOOK_AHEAD x 2 of them waiting.
    fields = {"executor": "local", "children_per_device": 2, "ordered": ordered, "budget": "12 children"}
    stopped = tiny(callbacks=Diary(stop_at=2), **fields)
    assert (stopped.status, stopped.stop_reason) == ("interrupted", "the diary is full")
    stored = stopped.frame("search")["index"].tolist()
    assert 2 in stored
    assert len(stored) <= 2 + LOOK_AHEAD * 2
    (resumed,) = nasbench.resume(tmp_path / "a.h5", progress=False)
    assert (resumed.status, sorted(resumed.frame("search")["index"])) == ("complete", list(range(12)))


def test_the_time_of_callbacks_is_not_charged(tiny):
    run = tiny(callbacks=lambda child: time.sleep(0.3), budget="3 children")
    charged = [run.row[f"{name}_hours"] for name in ("searcher", "training", "evaluation", "failed", "cached")]
    assert run.row["wall_seconds"] >= 0.9
    assert 3600 * sum(charged) <= run.row["wall_seconds"] - 0.9  # however slow the machine is


def test_an_exception_in_a_callback_ends_the_search_and_loses_nothing(tiny, tmp_path):
    class Broken(Diary):
        def on_incumbent(self, child):
            raise RuntimeError("no space left in the diary")

    broken = Broken()
    with pytest.raises(RuntimeError, match="no space left"):
        tiny(callbacks=broken)
    assert broken.lines == ["start", "child 0", "failed"]
    (resumed,) = nasbench.resume(tmp_path / "a.h5", progress=False)
    assert (resumed.status, len(resumed.frame("search"))) == ("complete", 6)


@pytest.mark.parametrize("wrong", [[3], [Diary], "print"])
def test_what_is_no_callback_is_refused_before_a_file_is_made(tiny, tmp_path, wrong):
    with pytest.raises(InputError, match="a callback is an object of a subclass"):
        tiny(callbacks=wrong)
    assert list(tmp_path.iterdir()) == []


def test_callbacks_and_several_jobs_are_refused(tiny, tmp_path):
    tiny(callbacks=Diary(stop_at=0))
    with pytest.raises(InputError, match="one search at a time"):
        nasbench.resume(tmp_path / "a.h5", callbacks=Diary(), jobs=2, progress=False)


def child(index: int, val_acc: float, incumbent: bool, reasons: list[str], counted: bool = True):
    row = {"index": index, "val_acc": val_acc, "counted": counted}
    return nasbench.FinishedChild(None, row, {}, index + 1, 0.0, 0.0, 0.5, incumbent, reasons.append)


def test_patience_counts_children_since_the_last_incumbent():
    stopping, reasons = nasbench.EarlyStopping(patience=2), []
    for index, incumbent in enumerate([True, False, True, False]):
        stopping.on_child(child(index, 0.5, incumbent, reasons))
    assert reasons == []
    stopping.on_child(child(4, 0.5, False, reasons, counted=False))
    assert reasons == []
    stopping.on_child(child(5, 0.5, False, reasons))
    assert reasons == ["the last 2 children were no better"]


def test_patience_counts_anew_in_each_attempt():
    stopping, reasons = nasbench.EarlyStopping(patience=2), []
    stopping.on_child(child(0, 0.5, False, reasons))
    stopping.on_start(nasbench.SearchInfo("0" * 12, "a.h5", {}, 1))
    stopping.on_child(child(1, 0.5, False, reasons))
    assert reasons == []


def test_a_target_stops_at_the_first_child_that_reaches_it():
    stopping, reasons = nasbench.EarlyStopping(target=0.7), []
    stopping.on_child(child(0, 0.69, True, reasons))
    assert reasons == []
    stopping.on_child(child(1, 0.7, True, reasons))
    assert reasons == ["validation accuracy 0.7000 reached the target 0.7"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "needs patience, target or both"),
        ({"patience": 0}, ">= 1, got 0"),
        ({"target": 70}, r"in \[0, 1\], got 70"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(fields, why):
    with pytest.raises(InputError, match=why):
        nasbench.EarlyStopping(**fields)
