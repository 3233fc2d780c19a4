"""The search loop drawn from a run: the numbers are the run's, and every text can be read."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from nasbench.analysis.drawings.lecture_figures import LOOP, MULT_ADDS, PARAMS, Searches
from nasbench.analysis.drawings.search_loop import draw_loop, loop_data, loop_figure, loop_words, reward_words
from nasbench.errors import InputError
from nasbench.scores import Score
from nasbench.store.format.schema import TABLE

NAN = float("nan")
SCORES = (0.5, 0.8, NAN, 0.7)


def children(make, power=3.0, strategy="reinforce", run="abc123", scores=SCORES, **columns):
    """Four children of one run in order, the third one failed, and one retrained at the end that is no part of the loop."""
    rows = [
        {
            "run": run,
            "index": i,
            "strategy": strategy,
            "run_seed": 3,
            "hash": f"{i:032x}",
            "choices": "[0,1,2,3,4]",
            "status": "ok" if score == score else "diverged",
            "val_acc": score,
            "val_acc_best": score + 0.05 * (i == 3),
            "reward": score**power if score == score else 0.0,
            "params": 1000 * (i + 1),
            "mult_adds": 20_000 * (i + 1),
            "epochs": 4,
            "train_seconds": 2.0 + i,
            "eval_seconds": 0.5,
            "setup_seconds": 0.25,
            "gpu_hours": 0.001,
            "searcher_seconds": 0.002,
            "spent_gpu_hours": 0.001 * (i + 1),
            **columns,
        }
        for i, score in enumerate(scores)
    ]
    return [*rows, {**rows[0], "stage": "final", "reward": float("nan")}, {**rows[0], "index": 9, "counted": False}]


@pytest.fixture
def searches(make):
    frame = make.children([*children(make, 1.0, "random", "fff000"), *children(make)])
    runs = [{"run": "fff000", "strategy": "random"}, {"run": "abc123", "strategy": "reinforce"}]
    return frame, make.runs([{**run, "seed": 3} for run in runs])


def test_a_whole_id_names_its_run_although_another_starts_with_it(make):
    """A merge keeps a conflicting run RUN as RUN~2."""
    frame = make.children([*children(make, run="abc123~2"), *children(make)])
    runs = make.runs([{"run": run, "strategy": "reinforce", "seed": 3} for run in ("abc123~2", "abc123")])
    assert set(loop_data(frame, runs, "abc123")["run"]) == {"abc123"}
    with pytest.raises(InputError, match="several runs start with 'abc'"):
        loop_data(frame, runs, "abc")


def test_a_row_for_each_child_told(searches):
    data = loop_data(*searches)
    assert set(data["run"]) == {"abc123"}  # the strategy that learns comes before random search
    assert data["child"].tolist() == [1, 2, 3, 4]
    assert data["best_so_far"].tolist() == [0.5, 0.8, 0.8, 0.8]
    assert data["best"].tolist() == [False, True, False, False]
    assert data["seconds"].tolist() == [2.75, 3.75, 4.75, 5.75]
    assert set(data["decisions"]) == {5}


def test_a_run_is_chosen_by_its_first_digits(searches):
    assert set(loop_data(*searches, run="fff")["strategy"]) == {"random"}
    with pytest.raises(InputError, match=r"no run starts with '7'; the runs there are: fff000 \(random\), abc123"):
        loop_data(*searches, run="7")


def test_several_runs_and_runs_without_children_are_refused(searches, make):
    frame, runs = searches
    more = make.runs([{"run": "abc999", "strategy": "ppo"}, {"run": "abc123", "strategy": "reinforce"}])
    with pytest.raises(InputError, match="several runs start with 'abc': abc999, abc123; give more digits"):
        loop_data(frame, more, run="abc")
    with pytest.raises(InputError, match=r"the run abc999 \(ppo\) has no child yet"):
        loop_data(frame, more, run="abc9")
    with pytest.raises(InputError, match="no run has children"):
        loop_data(frame.iloc[:0], runs)


@pytest.mark.parametrize(
    ("column", "power", "words"),
    [
        ("val_acc", 1, "validation accuracy"),
        ("val_acc", 3, "validation accuracy, to the power 3"),
        ("val_acc_best", 1, "best validation accuracy of the epochs"),
        ("val_acc_best", 2, "best validation accuracy of the epochs, to the power 2"),
    ],
)
def test_the_reward_in_words_holds_for_every_child(make, column, power, words):
    frame = make.children(children(make))
    frame["reward"] = (frame[column] ** power).where(frame["stage"] == "search")
    assert reward_words(frame) == words


def test_a_reward_that_is_no_power_is_the_strategys_own(make):
    frame = make.children(children(make))
    frame["reward"] = 1 - frame["val_acc"] / 3
    assert reward_words(frame) == "the strategy's own"
    assert reward_words(frame[frame["status"] != "ok"]) == "of children without a score: 0"


def test_the_boxes_say_what_the_run_measured(searches):
    words = loop_words(loop_data(*searches))
    assert words["strategy"] == ["strategy: reinforce", "seed 3, 4 children", "thinks 2 ms per child"]
    assert words["architecture"][:3] == ["architecture 00000000", "child 2 of 4", "5 decisions"]
    assert words["training"][2:] == ["3.75 s; all: 2.75 to 5.75 s", "0.004 device-hours in all, 1 failed"]
    assert words["reward"] == ["reward 0.512", "validation accuracy, to the power 3", "all: 0 to 0.512"]


def test_shared_weights_are_charged_visibly(searches):
    frame, runs = searches
    words = loop_words(loop_data(frame, runs.assign(supernet_hours=0.25)))
    assert words["training"][-1] == "and 0.25 for shared weights"


LOSS = Score("val_loss", "test_loss", "nats", "lower")


def drawn_texts(figure):
    figure.draw_without_rendering()
    return [text for text, _ in _text_boxes(figure)]


def test_a_run_that_is_judged_by_a_loss_is_drawn_by_it(make):
    """Losses 0.9, 0.4 and 0.7: the best child is the second one. The rewards are the losses, negated."""
    losses = (0.9, 0.4, NAN, 0.7)
    rows = [
        {**row, "val_acc": NAN, "val_loss": loss, "reward": -loss, "status": "ok" if loss == loss else "failed"}
        for row, loss in zip(children(make), losses)
    ]
    config = json.dumps({"score": LOSS.as_dict()})
    runs = make.runs([{"run": "abc123", "strategy": "reinforce", "config": config}])
    drawn = LOOP.draw(Searches(make.children(rows), runs))
    assert drawn.data["best"].tolist() == [False, True, False, False]
    assert drawn.data["val_acc"].tolist() == pytest.approx(losses, nan_ok=True)
    assert drawn.data["best_so_far"].tolist() == [0.9, 0.4, 0.4, 0.4]
    texts = drawn_texts(drawn.figure)
    assert {"val_loss (nats)", "lowest so far: 0.4", "val_loss, negated"}.issubset(texts)
    assert "validation accuracy" not in texts


def test_the_other_runs_of_a_file_may_be_judged_by_another_score(make):
    config = json.dumps({"score": LOSS.as_dict()})
    runs = [{"run": "abc123", "strategy": "reinforce"}, {"run": "fff000", "strategy": "random", "config": config}]
    frame = make.children([*children(make), *children(make, 1.0, "random", "fff000", val_loss=0.5)])
    drawn = LOOP.draw(Searches(frame, make.runs(runs), "abc"))
    assert drawn.data["val_acc"].max() == 0.8


def test_children_without_the_score_are_a_drawing_that_says_so(make):
    rows = [{**row, "val_acc": NAN, "status": "ok"} for row in children(make)]
    figure = loop_figure(loop_data(make.children(rows), make.runs([{"run": "abc123", "strategy": "reinforce"}])))
    assert any("No child has a score" in text.replace("\n", " ") for text in drawn_texts(figure))


def test_what_replays_and_imports_do_not_say_is_left_out(make):
    """A replay stores 0 epochs and 0 seconds of its strategy; an import also no device and no costs."""
    hidden = {"epochs": 0, "searcher_seconds": 0.0, "device": TABLE}
    runs = make.runs([{"run": "abc123", "strategy": "reinforce", "config": '{"replay": "digits"}'}])
    words = loop_words(loop_data(make.children(children(make, **hidden)), runs))
    assert words["strategy"] == ["strategy: reinforce", "seed 3, 4 children"]
    assert words["training"][1] == "protocol digits: from a table"
    scoring = make.children(children(make, **{**hidden, "searcher_seconds": 0.5}))  # of untrained networks
    assert len(loop_words(loop_data(scoring, runs))["strategy"]) == 2
    hidden |= {"device": "", "gpu_hours": NAN, "train_seconds": NAN, "params": -1, "mult_adds": -1}
    words = loop_words(loop_data(make.children(children(make, **hidden)), runs.assign(config="")))
    assert words["training"][1:] == ["protocol digits", "seconds not measured", "device-hours not known, 1 failed"]
    assert len(words["architecture"]) == 4


@pytest.mark.parametrize("figure", [MULT_ADDS, PARAMS])
def test_figures_of_accuracies_refuse_runs_of_other_scores(make, figure):
    config = json.dumps({"score": LOSS.as_dict()})
    runs = make.runs([{"run": "abc123", "strategy": "reinforce", "config": config}])
    with pytest.raises(InputError, match="of accuracies, and these runs are judged by val_loss"):
        figure.draw(Searches(make.children(children(make)), runs))


LONG = {
    "space": "nasnet:blocks=5,output=explicit,combinations=add/concat",
    "device": "NVIDIA GeForce RTX 4090 Laptop GPU",
    "data": "imagenet:folder=images",
}


@pytest.mark.parametrize("columns", [{}, LONG], ids=["short", "long"])
@pytest.mark.parametrize("scores", [SCORES, (0.4,), (float("nan"),)], ids=["some", "one", "none"])
def test_no_text_lies_on_another_or_outside(make, columns, scores):
    frame = make.children(children(make, scores=scores, **columns))
    figure = loop_figure(loop_data(frame, make.runs([{"run": "abc123", "strategy": "reinforce"}])))
    figure.draw_without_rendering()
    boxes = _text_boxes(figure)
    assert len(boxes) > 15
    assert all(text.get_fontsize() > 8.5 for text in figure.axes[0].texts)  # long lines are broken, not shrunk
    for i, (text, box) in enumerate(boxes):
        assert box.x0 >= 0, text
        assert box.y0 >= 0, text
        assert box.x1 <= figure.bbox.width, text
        assert box.y1 <= figure.bbox.height, text
        for other, place in boxes[:i]:
            assert not box.overlaps(place), (text, other)


def test_texts_stay_within_their_boxes_and_clear_of_arrows(searches):
    from matplotlib.patches import FancyBboxPatch, PathPatch

    figure = loop_figure(loop_data(*searches))
    figure.draw_without_rendering()
    ax = figure.axes[0]
    cards = [patch.get_window_extent() for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    arrows = [
        np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(points)])
        for patch in ax.patches
        if isinstance(patch, PathPatch)
        for points in [patch.get_transform().transform(patch.get_path().vertices)]
    ]
    assert len(cards) == 4
    assert len(arrows) == 8  # each with its rim
    for text in ax.texts:
        box = text.get_window_extent()
        inside = [card for card in cards if card.overlaps(box)]
        assert all(card.x0 < box.x0 and box.x1 < card.x1 and card.y0 < box.y0 and box.y1 < card.y1 for card in inside)
        assert len(inside) == (text.get_color() != "#767676")  # the arrows' labels stand outside
        assert not any(((arrow > box.min) & (arrow < box.max)).all(axis=1).any() for arrow in arrows), text


def _text_boxes(figure):
    axes = [*figure.axes, *(child for ax in figure.axes for child in ax.child_axes)]
    texts = [text for ax in axes for text in ax.texts]
    for ax in axes[1:]:
        texts += [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
    visible = [text for text in texts if text.get_text() and text.get_visible()]
    return [(text.get_text(), text.get_window_extent()) for text in visible]


def test_random_search_learns_nothing(searches):
    def labels(run):
        return [text.get_text() for text in loop_figure(loop_data(*searches, run=run)).axes[0].texts]

    assert "4  tell (it ignores it)" in labels("fff")
    assert "4  tell: update" in labels("abc")


def test_it_draws_into_a_users_own_axes(searches):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5))
    FigureCanvasAgg(figure)
    left, _ = figure.subplots(1, 2)
    draw_loop(loop_data(*searches), left)
    figure.draw_without_rendering()
    assert max(text.get_fontsize() for text in left.texts) < 8
