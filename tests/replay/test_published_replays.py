"""The published rows of NAS-Bench-201's searches; skipped where the table is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from nasbench.cli.main import nasbench
from nasbench.errors import InputError, MissingData, UnknownName
from nasbench.runners.replay.replay import ReplayBudget, Replayed, Setting, replay
from nasbench.runners.search.budget import Budget
from nasbench.store.query import Results
from nasbench.tabular.tables import Selection, Table, published_replays, read_table, read_tables

FOLDER = Path(os.environ.get("NASBENCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
PATH = FOLDER / "nb201_tss.npz"
BUDGET = ReplayBudget(Budget.parse("12000 s"))
ROWS = published_replays().to_dict("records")
NAMES = ["-".join((row["paper"], row["strategy"], row["searched_on"], row["data"])) for row in ROWS]
DATA = ("cifar10", "cifar100", "imagenet16-120")
NB201 = "2001.00326"
# How far our mean of 500 searches may be from the published one, in points. The difference of two such means has a standard error of
# 0.02 points on CIFAR-10, 0.05 to 0.08 on the others; with 3,000 of ours some rows stay apart by 0.07 and 0.18 points, of which
# docs/performance.md says what is known.
BOUNDS = {"cifar10": 0.13, "cifar100": 0.3, "imagenet16-120": 0.3}

pytestmark = pytest.mark.skipif(not PATH.exists(), reason=f"needs {PATH.name} (NASBENCH_SHARED_DATA names its folder)")


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return dict(zip(DATA, read_tables(PATH, [Selection(name) for name in DATA])))


@pytest.fixture(scope="module")
def table(tables) -> Table:
    return tables["cifar10"]


def setting_of(row) -> Setting:
    return Setting.of(row["strategy"], dict(part.split("=") for part in row["options"].split(",") if part))


def searched(row, table: Table, seeds: int) -> Replayed:
    return replay(table, setting_of(row), range(seeds), ReplayBudget(Budget.parse(row["budget"])))


# -- the table -------------------------------------------------------------------------------------------------------------


def test_the_table_has_the_known_optima_and_the_known_cell(table):
    for data, best, resnet in (
        ("cifar10", 94.373, 93.97),
        ("cifar100", 73.513, 70.86),
        ("imagenet16-120", 47.311, 43.63),
    ):
        found = read_table(PATH, data)
        assert 100 * found.best_test_acc == pytest.approx(best, abs=5e-4)
        cell = table.space.parse("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|")
        code = int(found.code(np.array(cell.choices)))
        assert 100 * found.test_acc[code] == pytest.approx(resnet, abs=5e-3)
        assert found.architecture(code) == cell


def test_every_row_is_at_its_cell(table):
    with np.load(PATH) as archive:
        names, scores = archive["arch_str"].astype(str).tolist(), archive["c10_valid_acc_12"]
    codes = [int(table.code(np.array(table.space.parse(name).choices))) for name in names[::97]]
    assert (table.val_acc[codes] * 100).tolist() == pytest.approx(scores[::97].tolist())


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(MissingData, match="there is no table"):
        read_table(tmp_path / "none.npz")
    with pytest.raises(UnknownName, match="did you mean 'cifar100'"):
        read_table(PATH, "cifar1000")
    np.savez(tmp_path / "other.npz", numbers=np.zeros(3))
    with pytest.raises(InputError, match="not the archive"):
        read_table(tmp_path / "other.npz")


# -- the rows --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_500_searches_find_what_was_published(row, tables):
    """On the data set that was searched, and on others."""
    tests = searched(row, tables[row["searched_on"]], 500).frame(tables[row["data"]])["test_acc"]
    assert len(tests) == row["runs"] == 500
    assert 100 * tests.mean() == pytest.approx(100 * row["test_acc"], abs=BOUNDS[row["data"]])
    assert 0.8 < tests.std() / row["test_sd"] < 1.45


@pytest.mark.parametrize("row", [row for row in ROWS if row["data"] == "cifar10"])
def test_validation_after_200_epochs_is_what_was_published(row, table):
    """The archive has it of CIFAR-10 only; no search sees it."""
    with np.load(PATH) as archive:
        cells = [table.space.parse(name) for name in archive["arch_str"].astype(str).tolist()]
        scores = np.full(table.space.size, np.nan)
        scores[table.code(np.array([cell.choices for cell in cells]))] = archive["c10v_valid_acc_200"]
    found = searched(row, table, 500)
    runs, places = found.chosen()
    assert scores[found.codes[runs, places]].mean() == pytest.approx(100 * row["val_acc"], abs=0.15)


def test_learned_searches_are_better_than_random_ones(tables):
    rows = [row for row in ROWS if row["paper"] == NB201 and row["data"] == "cifar10"]
    for data in DATA:
        means = {
            row["strategy"]: searched(row, tables["cifar10"], 200).frame(tables[data])["test_acc"].mean()
            for row in rows
        }
        assert means["random"] < means["reinforce_logits"] < means["evolution"]


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.02, 0.05, 0.1])
def test_the_row_of_reinforce_does_not_hang_on_the_learning_rate(rate, table):
    found = replay(table, Setting.of("reinforce_logits", {"learning_rate": rate}), range(2000), BUDGET)
    assert 100 * found.frame()["test_acc"].mean() == pytest.approx(93.85, abs=0.1)


# -- the command -----------------------------------------------------------------------------------------------------------


def run(*words: str):
    return CliRunner().invoke(nasbench, ["replay", "--table", str(PATH), *words], catch_exceptions=True)


def test_the_command_prints_the_published_rows_beside_and_draws(tmp_path):
    done = run("--seeds", "60", "--plot", str(tmp_path / "regret"), "-o", str(tmp_path / "choices.csv"))
    assert done.exit_code == 0, done.output
    for text in ("93.70 +- 0.36", "93.92 +- 0.30", "93.85 +- 0.37", "best in the table: 94.37"):
        assert text in done.output
    assert len((tmp_path / "choices.csv").read_text().splitlines()) == 1 + 3 * 60
    assert {path.name for path in tmp_path.iterdir()} >= {"regret.png", "regret.svg", "regret.csv"}


def test_other_options_and_budgets_have_no_published_row():
    for words in (("--strategy", "evolution:population=20"), ("--strategy", "random", "--budget", "100 children")):
        done = run("--seeds", "3", *words)
        assert done.exit_code == 0, done.output
        assert "published" not in done.output.splitlines()[0]  # no column that would be empty


def test_a_data_set_without_published_rows_needs_a_strategy():
    words = ("--search-on", "cifar100", "--report-on", "cifar10")
    assert "give --strategy" in str(run(*words).exception)
    done = run(*words, "--strategy", "random", "--seeds", "20")
    assert done.exit_code == 0, done.output
    assert "best in the table of cifar10: 94.37" in done.output


def test_the_published_row_of_a_budget_gives_the_options():
    for data, budget, text in (
        ("cifar100", "40000 s", "71.86 +- 0.89"),
        ("imagenet16-120", "120000 s", "45.64 +- 0.78"),
        ("cifar10", "20000 s", "93.90 +- 0.26"),
    ):
        done = run("--data", data, "--budget", budget, "--seeds", "3")
        assert done.exit_code == 0, done.output
        row = next(line for line in done.output.splitlines() if line.startswith("reinforce_logits"))
        assert row.startswith("reinforce_logits:learning_rate=0.01 ")
        assert text in row


def test_choices_are_scored_on_other_data_sets(tables, tmp_path):
    words = ("--search-on", "cifar10", "--report-on", "cifar100,imagenet16-120", "--seeds", "20")
    done = run(*words, "-o", str(tmp_path / "choices.csv"), "--plot", str(tmp_path / "regret"))
    assert done.exit_code == 0, done.output
    for text in ("71.84 +- 0.99", "45.24 +- 1.18", "best in the table of cifar100: 73.51", "of imagenet16-120: 47.31"):
        assert text in done.output
    assert "93.92" not in done.output
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn >= {"regret-cifar100.png", "regret-imagenet16-120.csv"}
    choices = pd.read_csv(tmp_path / "choices.csv")
    assert choices.groupby("data").size().to_dict() == {"cifar100": 60, "imagenet16-120": 60}
    assert set(choices["searched_on"]) == {"cifar10"}
    for row in choices.itertuples():
        code = int(tables["cifar10"].code(np.array(json.loads(row.choices.replace("(", "[").replace(")", "]")))))
        assert row.outcome == pytest.approx(tables["cifar10"].val_acc[code])
        assert row.val_acc == pytest.approx(tables[row.data].val_acc[code])
        assert row.test_acc == pytest.approx(tables[row.data].test_acc[code])


def test_a_file_of_choices_on_several_data_sets_is_sound_and_never_pooled(tmp_path):
    path = str(tmp_path / "replays.h5")
    words = ("--strategy", "random", "--strategy", "evolution", "--seeds", "6", "--budget", "2000 s")
    done = run(*words, "--report-on", "cifar100,imagenet16-120", "-o", path)
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(nasbench, ["check", path]).exit_code == 0
    compare = ["compare", path, "-o", str(tmp_path / "compare")]
    refused = CliRunner().invoke(nasbench, compare)
    assert refused.exit_code != 0
    assert "they differ in protocol: table cifar100" in str(refused.exception)
    chosen = CliRunner().invoke(nasbench, [*compare, "--where", "stage == 'search' or data == 'cifar100'"])
    assert chosen.exit_code == 0, chosen.output
    frame = Results(path).frame()
    tests = frame[(frame["data"] == "cifar100") & (frame["strategy"] == "random")].groupby("run")["test_acc"].last()
    assert f"{100 * tests.median():.2f}" in chosen.output


def test_the_archive_has_no_single_trainings():
    done = run("--draw", "one")
    assert done.exit_code != 0
    assert "holds means only" in str(done.exception)
    assert "\n" not in str(done.exception)


def test_a_budget_too_small_for_a_child_leaves_no_choice(tmp_path):
    done = run("--strategy", "random", "--budget", "1 s", "--seeds", "3", "--plot", str(tmp_path / "none"))
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[1].split() == ["random", "0", "of", "3", "0.0", "-", "-"]


def test_a_command_gives_the_same_twice(tmp_path):
    texts = []
    for name in ("a.csv", "b.csv"):
        assert run("--seeds", "5", "--strategy", "evolution", "-o", str(tmp_path / name)).exit_code == 0
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("--strategy", "evolutoin"), "did you mean 'evolution'"),
        (("--strategy", "random", "--strategy", "random"), "once"),
        (("--budget", "12000"), "number and unit"),
        (("--budget", "3 usd"), "--price"),
        (("--space", "nasnet:blocks=2"), "leave --space out"),
        (("-o", "results.txt"), "must be one of .csv, .h5"),
        (("--strategy", "evolution:population"), "key=value"),
        (("--search-on", "cifar1000"), "did you mean 'cifar100'"),
        (("--report-on", "cifar10,imagenet-16-120"), "did you mean 'imagenet16-120'"),
        (("--report-on", "cifar10,cifar10"), "once each"),
        (("--report-on", "cifar10,"), "once each"),
    ],
)
def test_bad_input_is_one_clear_error(words, match):
    done = run(*words)
    assert done.exit_code != 0
    assert match in str(done.exception)


def test_the_published_file_names_settings_that_exist():
    keys = [(row["searched_on"], row["data"], row["strategy"], row["budget"]) for row in ROWS]
    assert len(set(keys)) == len(keys) == 18
    for row in ROWS:
        assert json.dumps(setting_of(row).config.model_dump())
        low, high = {"cifar10": (0.9, 0.95), "cifar100": (0.7, 0.735), "imagenet16-120": (0.44, 0.474)}[row["data"]]
        assert low < row["test_acc"] < high
        assert row["tag"] in ("verified", "recalled")


def test_no_framework_is_imported(tmp_path):
    """Start to plot in seconds: table-driven strategies need no torch."""
    words = ["replay", "--table", str(PATH), "--seeds", "3", "--plot", str(tmp_path / "regret")]
    code = f"import sys; from nasbench.cli.main import nasbench; nasbench({words!r}, standalone_mode=False); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
