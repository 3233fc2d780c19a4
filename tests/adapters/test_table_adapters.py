"""Tables in Optuna and Syne Tune: the scores, costs and curves of the table, and nothing else."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import nasbench
from nasbench.adapters.optuna import TableObjective
from nasbench.adapters.syne_tune import table_blackbox
from nasbench.adapters.table_lookup import TableLookup
from nasbench.errors import InputError, MissingExtra
from nasbench.scores import ACCURACY, Score
from nasbench.spaces import get_space
from nasbench.tabular.tables import Table, read_table

FILE = "digits201-2.h5"


@pytest.fixture(scope="module")
def lookup(results_folder):
    return TableLookup.read(results_folder / FILE)


@pytest.fixture(scope="module")
def results_folder():
    from importlib import resources

    return resources.files("nasbench.results").joinpath("")


def test_scores_and_seconds_are_those_of_the_rows(lookup, results_folder):
    frame = nasbench.open(str(results_folder / FILE)).frame()
    architecture = lookup.table.space.decode([3, 3, 1, 0, 2, 4])
    rows = frame[frame["hash"] == architecture.hash]
    position = lookup.position(dict(zip(lookup.names, architecture.choices)))
    assert lookup.scores[position, -1] == pytest.approx(rows["val_acc"].mean(), abs=1e-12)
    assert lookup.seconds[position, -1] == pytest.approx(rows["device_seconds"].mean(), rel=1e-9)
    assert (np.diff(lookup.seconds[position]) > 0).all()
    assert lookup.epochs == 4


@pytest.mark.parametrize("change", [{"0": None}, {"0": 5}, {"0": -1}])
def test_parameters_out_of_range_are_refused(lookup, change):
    parameters = dict.fromkeys(lookup.names, 0) | {lookup.names[0]: change["0"]}
    with pytest.raises(InputError, match="takes a whole number from 0 to 4"):
        lookup.position(parameters)


def test_a_study_of_optuna_searches_the_table(lookup, results_folder):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    objective = TableObjective(lookup.table)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1), pruner=pruner)
    study.optimize(objective, n_trials=60)
    table = read_table(results_folder / FILE)
    for trial in study.trials:
        position = int(table.code(np.array(objective.architecture(trial.params).choices)))
        if trial.state == optuna.trial.TrialState.COMPLETE:
            assert trial.value == np.nan_to_num(table.val_acc[position])
            assert trial.user_attrs["device_seconds"] == pytest.approx(table.seconds[position], rel=1e-9)
        else:
            assert trial.state == optuna.trial.TrialState.PRUNED
            assert trial.user_attrs["device_seconds"] < table.seconds[position]
    assert any(trial.state == optuna.trial.TrialState.PRUNED for trial in study.trials)
    best = int(table.code(np.array(objective.architecture(study.best_params).choices)))
    assert objective.test_acc(study.best_params) == table.test_acc[best]


def test_a_blackbox_of_syne_tune_has_the_tables_values(lookup):
    pytest.importorskip("syne_tune.blackbox_repository")
    blackbox = table_blackbox(lookup.table)
    configuration = dict(zip(lookup.names, (3, 3, 1, 0, 2, 4)))
    position = lookup.position(configuration)
    found = blackbox.objective_function(configuration, fidelity={"epoch": 2})
    assert found["metric_valid_error"] == pytest.approx(1 - lookup.scores[position, 1])
    assert found["metric_elapsed_time"] == pytest.approx(lookup.seconds[position, 1])
    assert blackbox.objective_function(configuration).shape == (4, 2)


def test_without_the_package_the_error_names_it(monkeypatch, lookup):
    monkeypatch.setitem(sys.modules, "syne_tune.blackbox_repository.blackbox_tabular", None)
    with pytest.raises(MissingExtra, match=r"nasbench-suite\[syne-tune\]"):
        table_blackbox(lookup.table)


def sparse(lookup):
    """The table as if the validation of the first and third epoch had not been recorded, with a failed architecture."""
    table, curves = lookup.table, lookup.table.curves
    scores, val_acc = curves.val_acc.copy(), table.val_acc.copy()
    scores[:, [0, 2]] = np.nan
    scores[0] = np.nan
    val_acc[curves.kinds == 0] = np.nan
    return replace(table, val_acc=val_acc, curves=replace(curves, val_acc=scores, single=None), trainings=None)


def test_an_epoch_that_was_not_recorded_is_not_reported(lookup):
    optuna = pytest.importorskip("optuna")
    table = sparse(lookup)
    objective, study = TableObjective(table), optuna.create_study(direction="maximize")
    failed, known = (int(np.flatnonzero(each)[0]) for each in (np.isnan(table.val_acc), np.isfinite(table.val_acc)))
    for position in (failed, known):
        study.enqueue_trial(dict(zip(lookup.names, table.architecture(position).choices)))
    study.optimize(objective, n_trials=2)
    assert study.trials[0].intermediate_values == dict.fromkeys((1, 2, 3, 4), 0.0)
    assert list(study.trials[1].intermediate_values) == [2, 4]
    assert study.trials[1].value == pytest.approx(table.val_acc[known])
    assert study.trials[0].user_attrs["device_seconds"] == pytest.approx(table.seconds[failed])


def test_a_blackbox_without_the_scores_of_some_epochs_is_refused(lookup, monkeypatch):
    """Stand-ins for Syne Tune, which need not be installed: the table is refused before they are used."""
    for name in ("blackbox_repository", "blackbox_repository.blackbox_tabular", "config_space"):
        stand_in = SimpleNamespace(BlackboxTabular=SimpleNamespace, choice=list, randint=dict)
        monkeypatch.setitem(sys.modules, f"syne_tune.{name}", stand_in)
    monkeypatch.setitem(sys.modules, "syne_tune", SimpleNamespace())
    with pytest.raises(InputError, match=r"after epoch 1, 3, where they were not recorded.*read_table"):
        table_blackbox(sparse(lookup))
    recorded = replace(sparse(lookup), curves=None)
    values = table_blackbox(recorded).objectives_evaluations
    assert values[np.isnan(recorded.val_acc), 0, 0, 0].tolist() == [1.0] * int(np.isnan(recorded.val_acc).sum())


def test_a_failed_training_is_no_better_than_the_worst_loss():
    """Losses are negated, and the study maximizes: a failure told as 0 would be the best of all."""
    losses = Score("val_loss", "test_loss", "nats", "lower")
    unknown, ones = np.full(4, -1), np.ones(4)
    scores = np.array([-0.5, -0.7, np.nan, -0.6])
    table = Table("x", get_space("choices:2/2"), scores, np.full(4, np.nan), ones, unknown, unknown, score=losses)
    objective = TableObjective(table)

    def told(choices) -> float:
        left = list(choices)
        return objective(
            SimpleNamespace(
                suggest_categorical=lambda *_: left.pop(0),
                set_user_attr=lambda *_: None,
                report=lambda *_: None,
                should_prune=lambda: False,
            )
        )

    assert [told(choices) for choices in ((0, 0), (0, 1), (1, 0), (1, 1))] == [-0.5, -0.7, -0.7, -0.6]
    accuracies = TableObjective(replace(table, val_acc=np.array([0.5, 0.7, np.nan, 0.6]), score=ACCURACY))
    assert accuracies._told(float("nan")) == 0
