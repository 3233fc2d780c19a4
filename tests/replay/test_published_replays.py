"""The published rows of NAS-Bench-201's searches; skipped where the table is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nasbench.cli.main import nasbench
from nasbench.errors import InputError, MissingData, UnknownName
from nasbench.runners.budget import Budget
from nasbench.runners.replay import Price, Replayed, Setting, replay
from nasbench.tables import Table, published_replays, read_table

FOLDER = Path(os.environ.get("NASBENCH_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
PATH = FOLDER / "nb201_tss.npz"
BUDGET = Price(Budget.parse("12000 s"))
ROWS = published_replays().to_dict("records")

pytestmark = pytest.mark.skipif(not PATH.exists(), reason=f"needs {PATH.name} (NASBENCH_SHARED_DATA names its folder)")


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(PATH)


def setting_of(row) -> Setting:
    return Setting.of(row["strategy"], dict(part.split("=") for part in row["options"].split(",") if part))


def searched(row, table: Table, seeds: int) -> Replayed:
    return replay(table, setting_of(row), range(seeds), BUDGET)


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


@pytest.mark.parametrize("row", ROWS, ids=[row["strategy"] for row in ROWS])
def test_500_searches_find_what_was_published(row, table):
    """The standard error of the mean over 500 seeds is 0.02 points."""
    tests = searched(row, table, 500).frame()["test_acc"]
    assert 100 * tests.mean() == pytest.approx(100 * row["test_acc"], abs=0.06)
    assert 0.25 < 100 * tests.std() < 0.5


def test_learned_searches_are_better_than_random_ones(table):
    means = {row["strategy"]: searched(row, table, 200).frame()["test_acc"].mean() for row in ROWS}
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
        assert done.output.splitlines()[1].rstrip().endswith("-")


def test_a_data_set_without_published_rows_needs_a_strategy():
    assert "give --strategy" in str(run("--data", "cifar100").exception)
    done = run("--data", "cifar100", "--strategy", "random", "--seeds", "20")
    assert done.exit_code == 0, done.output
    assert "best in the table: 73.51" in done.output


def test_a_budget_too_small_for_a_child_leaves_no_choice(tmp_path):
    done = run("--strategy", "random", "--budget", "1 s", "--seeds", "3", "--plot", str(tmp_path / "none"))
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[1].split() == ["random", "0", "of", "3", "0.0", "-", "-", "-", "-"]


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
        (("-o", "results.txt"), ".h5 (all children)"),
        (("--strategy", "evolution:population"), "key=value"),
    ],
)
def test_bad_input_is_one_clear_error(words, match):
    done = run(*words)
    assert done.exit_code != 0
    assert match in str(done.exception)


def test_the_published_file_names_settings_that_exist():
    for row in ROWS:
        assert json.dumps(setting_of(row).config.model_dump())
        assert 0.9 < row["test_acc"] < 0.95


def test_no_framework_is_imported(tmp_path):
    """Start to plot in seconds: table-driven strategies need no torch."""
    words = ["replay", "--table", str(PATH), "--seeds", "3", "--plot", str(tmp_path / "regret")]
    code = f"import sys; from nasbench.cli.main import nasbench; nasbench({words!r}, standalone_mode=False); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
