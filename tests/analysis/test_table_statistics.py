"""Statistics of a table against numbers worked out by hand and by scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from nasbench.analysis.statistics.table_statistics import (
    architecture_means,
    distribution,
    function_classes,
    function_noise,
    platforms,
    predictors,
    seed_agreement,
    spread,
    trainings,
)
from nasbench.errors import InputError
from nasbench.scores import judging
from nasbench.spaces import get_space
from nasbench.store.judged import LOSS


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"hash": f"{cell:02d}", "seed": seed, "val_acc": cell / 50 + rng.normal(0, 0.1), "params": 10 * cell}
        for cell in range(40)
        for seed in (0, 1)
    ]
    common = {
        "space": "s",
        "fingerprint": "f",
        "status": "ok",
        "mult_adds": 5,
        "device_seconds": 2.0,
        "platform": "here",
    }
    return pd.DataFrame(rows).assign(test_acc=0.5, **common)


def test_means_are_over_seeds_the_best_first(frame):
    means = architecture_means(trainings(frame))
    assert means["val_acc"].is_monotonic_decreasing
    assert (means["seeds"] == 2).all()
    best = frame[frame["hash"] == means["hash"].iloc[0]]["val_acc"]
    assert means["val_acc"].iloc[0] == pytest.approx(best.mean())
    assert means["val_sd"].iloc[0] == pytest.approx(best.std())
    assert distribution(means)["val_acc"].iloc[-1] == means["val_acc"].iloc[0]


def test_platforms_are_counted_and_seconds_are_of_one(frame):
    rows = trainings(frame.assign(platform=["here", "there"] * 40, device_seconds=[2.0, 9.0] * 40))
    rows = pd.concat([rows, rows.iloc[:2].assign(platform="here")])
    found = platforms(rows)
    assert found["platform"].tolist() == ["here", "there"]
    assert found[["trainings", "architectures"]].to_numpy().tolist() == [[42, 40], [40, 40]]
    assert architecture_means(rows)["device_seconds"].iloc[1] == 2.0


def test_noise_is_the_pooled_deviation_between_seeds(frame):
    rows = trainings(frame)
    wide = rows.pivot(index="hash", columns="seed", values="val_acc").to_numpy()
    found = spread(rows, architecture_means(rows)).iloc[0]
    assert found["seed_noise"] == pytest.approx(np.sqrt(((wide[:, 0] - wide[:, 1]) ** 2 / 2).mean()))
    assert found["top_range"] > 0


def test_seeds_agree_as_scipy_says(frame):
    wide = frame.pivot(index="hash", columns="seed", values="val_acc")
    found = seed_agreement(frame, -1.0)
    assert found["kendall"].tolist() == [pytest.approx(kendalltau(wide[0], wide[1]).statistic)]
    above = wide[(wide > 0.3).all(axis=1)]
    assert seed_agreement(frame, 0.3)["n"].tolist() == [len(above)]


def test_the_last_epoch_ranks_as_the_score_does(frame):
    curves = frame[["hash", "val_acc"]].assign(epoch=1)
    found = predictors(frame, architecture_means(frame), curves).set_index("score")
    assert found.loc["val_acc after epoch 1", "kendall"] == pytest.approx(1)
    assert found.loc["params", "n"] == 40


def test_two_protocols_and_no_scores_are_refused(frame):
    with pytest.raises(InputError, match="'fingerprint'"):
        trainings(pd.concat([frame, frame.assign(fingerprint="g")]))
    with pytest.raises(InputError, match="status ok"):
        trainings(frame.assign(status="failed"))


def cells_of_nasbench201(texts):
    """Children of cells, each with seeds 0 and 1."""
    space = get_space("nasbench201")
    cells = [space.parse(text) for text in texts]
    scores = {0: [0.5, 0.6], 1: [0.52, 0.66], 2: [0.9, 0.8]}
    rows = [
        {"hash": cell.hash, "choices": str(list(cell.choices)), "seed": seed, "val_acc": scores[index][seed]}
        for index, cell in enumerate(cells)
        for seed in (0, 1)
    ]
    return pd.DataFrame(rows).assign(space=space.spec, test_acc=lambda frame: frame["val_acc"] - 0.1, status="ok")


POOL_OF_SUM = "|nor_conv_3x3~0|+|skip_connect~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
SUM_OF_POOLS = "|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|avg_pool_3x3~1|none~2|"
ANOTHER = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|avg_pool_3x3~1|none~2|"


def test_architectures_of_one_function_measure_noise():
    rows = cells_of_nasbench201([POOL_OF_SUM, SUM_OF_POOLS, ANOTHER])
    classes = function_classes(rows)
    assert (len(classes), classes.nunique()) == (3, 2)
    found = function_noise(rows, classes).set_index("compared")
    assert found[["groups", "scores"]].to_numpy().tolist() == [[3, 6], [2, 4], [2, 4], [1, 2]]
    seeds, sharing, same_seed, means = found["val_sd"]
    assert seeds == pytest.approx(np.sqrt((0.1**2 + 0.14**2 + 0.1**2) / 2 / 3))
    assert sharing == pytest.approx(np.sqrt((0.1**2 + 0.14**2) / 2 / 2))
    assert same_seed == pytest.approx(np.sqrt((0.02**2 + 0.06**2) / 2 / 2))
    assert means == pytest.approx(0.04 / np.sqrt(2))
    assert found["val_range"].tolist() == pytest.approx([0.14, 0.14, 0.06, 0.04])
    assert found["test_sd"].to_numpy() == pytest.approx(found["val_sd"].to_numpy())


def test_groups_of_unequal_size_are_pooled_by_their_degrees_of_freedom():
    rows = cells_of_nasbench201([POOL_OF_SUM, ANOTHER])
    third = rows.iloc[[0]].assign(seed=2, val_acc=0.7, test_acc=0.6)
    found = function_noise(pd.concat([rows, third]), function_classes(rows)).iloc[0]
    assert found["val_sd"] == pytest.approx(np.sqrt((2 * 0.1**2 + 0.14**2 / 2) / 3))


def test_without_architectures_of_one_function_there_is_no_such_noise():
    rows = cells_of_nasbench201([POOL_OF_SUM, ANOTHER])
    found = function_noise(rows, function_classes(rows))
    assert found["groups"].tolist() == [2, 0, 0, 0]
    assert found["val_sd"].isna().tolist() == [False, True, True, True]
    with pytest.raises(InputError, match="choices"):
        function_classes(rows.drop(columns="choices"))


def searched(**columns: object) -> dict[str, object]:
    """A whole training of architecture a with seed 0: 0.5 in 100 s."""
    row = {"run": "r", "index": 0, "stage": "search", "hash": "a", "seed": 0, "status": "ok", "val_acc": 0.5}
    row |= {"test_acc": np.nan, "device_seconds": 100.0, "platform": "here", "stop_epoch": 0, "from_epoch": 0}
    return row | {"continues": "", "space": "s", "fingerprint": "f", "params": 1, "mult_adds": 1} | columns


def test_copies_of_a_training_by_a_cache_count_once():
    """Seed 0 with 0.5 in 100 s, and seed 1 with 0.9 in 200 s and three copies."""
    again = [searched(index=place, seed=1, val_acc=0.9, device_seconds=200.0) for place in (1, 2, 3, 4)]
    rows = trainings(pd.DataFrame([searched(), *again]))
    assert len(rows) == 2
    (found,) = architecture_means(rows).to_dict("records")
    assert (found["val_acc"], found["device_seconds"]) == (pytest.approx(0.7), 150.0)
    assert found["val_sd"] == pytest.approx(0.4 / np.sqrt(2))


def test_seconds_of_a_training_that_went_on_are_of_all_its_parts():
    """Architecture b stopped after 10 s and went on for 60 s; a has a training in one go; a part of c is elsewhere."""
    rows = [
        searched(),
        searched(index=1, seed=1, stop_epoch=3, device_seconds=30.0),
        searched(index=2, seed=1, from_epoch=3, continues="r/1", device_seconds=40.0),
        searched(index=3, hash="b", stop_epoch=3, device_seconds=10.0),
        searched(index=4, hash="b", from_epoch=3, continues="r/3", device_seconds=60.0),
        searched(index=5, hash="c", from_epoch=3, continues="other/3", device_seconds=60.0),
    ]
    seconds = architecture_means(trainings(pd.DataFrame(rows))).set_index("hash")["device_seconds"]
    assert seconds.to_dict() == pytest.approx({"a": 100.0, "b": 70.0, "c": np.nan}, nan_ok=True)


def test_curves_are_those_of_the_trainings():
    """The copy of a training, which has its curve too, does not weigh in the score after an epoch."""
    several = [searched(hash=name, index=place, val_acc=place / 10) for place, name in enumerate("abcd")]
    other = searched(index=10, seed=1, val_acc=0.25)
    frame = pd.DataFrame([*several, other, {**other, "index": 11}])
    early = {0: 0.1, 1: 0.25, 2: 0.3, 3: 0.4, 10: 0.35, 11: 0.35}  # a: 0.225, or with the copy 0.267
    curves = frame.assign(epoch=1, val_acc=frame["index"].map(early))
    rows = trainings(frame)
    found = predictors(rows, architecture_means(rows), curves).set_index("score")
    # mean scores 0.125, 0.1, 0.2, 0.3 with 0.225, 0.25, 0.3, 0.4 after an epoch: five of six pairs agree
    assert found.loc["val_acc after epoch 1", "kendall"] == pytest.approx((5 - 1) / 6)


def test_correlations_with_a_loss_have_its_sign_and_its_name(frame):
    """Where more parameters have less loss, their correlation with it is -1; those of losses with losses are 1."""
    means = frame.groupby("hash")["params"].transform("max")
    losses = frame.assign(val_acc=means / 1000 - 1.0, test_acc=means / 1000 - 1.1)  # oriented: higher is better
    curves = losses[["hash", "val_acc"]].assign(epoch=1)
    with judging(LOSS):
        rows = trainings(losses)
        found = predictors(rows, architecture_means(rows), curves).set_index("score")["kendall"]
        seeds = seed_agreement(rows, -np.inf)
    assert found[["params", "val_loss after epoch 1", "test_loss"]].tolist() == [-1.0, 1.0, 1.0]
    assert seeds[["score", "kendall"]].to_numpy().tolist() == [["val_loss seed 0 against seed 1", 1.0]]


def test_curves_without_hashes_are_those_of_the_children(frame):
    children = frame.assign(run="r", stage="search", index=range(len(frame)))
    curves = children[["run", "stage", "index", "val_acc"]].assign(epoch=1)
    rows = trainings(children)
    found = predictors(rows, architecture_means(rows), curves).set_index("score")
    assert found.loc["val_acc after epoch 1", "kendall"] == pytest.approx(1)
    assert "val_acc after epoch 1" not in set(predictors(rows, architecture_means(rows), curves.iloc[:0])["score"])
