"""Tables in Optuna and Syne Tune: the scores, costs and curves of the table, and nothing else."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import nasbench
from nasbench.adapters.optuna import TableObjective
from nasbench.adapters.syne_tune import table_blackbox
from nasbench.adapters.table_lookup import TableLookup
from nasbench.errors import InputError, MissingExtra
from nasbench.tabular.tables import read_table

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
