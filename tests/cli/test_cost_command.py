"""`nasbench cost` as users call it, on the shipped searches."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from commands import nasbench

from nasbench.cli.main import nasbench as group

CLAIMS = str(Path(__file__).parents[2] / "results" / "claims.h5")


def call(*words: str) -> str:
    done = CliRunner().invoke(group, ["cost", CLAIMS, *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_categories_add_up_and_energy_is_said(tmp_path):
    out = call("-o", str(tmp_path / "cost"), "--csv", str(tmp_path / "table.csv"))
    data = pd.read_csv(tmp_path / "table.csv")
    parts = [name for name in data.columns if name.endswith("_hours") and name not in ("gpu_hours", "hours_per_child")]
    assert data[parts].sum(axis=1).to_numpy() == pytest.approx(data["gpu_hours"].to_numpy())
    assert "searcher_hours" in out
    assert "note: Energy: not measured" in out
    assert "Energy: not measured" in (tmp_path / "cost.txt").read_text()


def test_estimates_for_other_devices(tmp_path):
    out = call("--on", "V100,A100", "-o", str(tmp_path / "there"))
    data = pd.read_csv(tmp_path / "there.csv")
    assert data["kind"].value_counts().to_dict() == {"estimate": 6, "as run": 3}
    assert "note: Estimates, not measurements" in out
    assert (tmp_path / "there.png").read_bytes().startswith(b"\x89PNG")


def test_estimates_are_of_one_table_each(tmp_path):
    """The same searches on two tables: a mean over both would be a cost of neither."""
    for table in ("digits201", "conv-size-cifar16"):
        words = ("--strategy", "random", "--seeds", "2", "--budget", "5 children", "-o", f"{table}.h5")
        assert nasbench("replay", "--table", table, *words, cwd=tmp_path).code == 0
    files = ("digits201.h5", "conv-size-cifar16.h5")
    words = ("--on", "V100", "--from", "cpu", "--allow", "searcher")
    done = nasbench("cost", *files, *words, "-o", str(tmp_path / "both"), cwd=tmp_path)
    assert done.code == 0, done.err
    both = pd.read_csv(tmp_path / "both.csv").query("kind == 'as run'").set_index("table")
    assert both["runs"].to_dict() == {"conv-size, cifar10-jpeg-16": 2, "nasbench201, digits": 2}
    for file, table in zip(files, ("nasbench201, digits", "conv-size, cifar10-jpeg-16")):
        nasbench("cost", file, *words, "-o", str(tmp_path / "one"), cwd=tmp_path)
        alone = pd.read_csv(tmp_path / "one.csv").query("kind == 'as run'")
        assert alone["gpu_hours"].tolist() == pytest.approx([both.loc[table, "gpu_hours"]])


def test_prices_of_ones_own(tmp_path):
    (tmp_path / "mine.csv").write_text("gpu,usd,source,date\nA100,2.5,my contract,2026-11\ncpu,0.1,my bill,2026-11\n")
    call("--on", "A100", "--prices", str(tmp_path / "mine.csv"), "-o", str(tmp_path / "there"))
    data = pd.read_csv(tmp_path / "there.csv").query("kind == 'estimate'")
    assert (data["usd"] / data["gpu_hours"]).to_numpy() == pytest.approx(2.5)
    out = call("--prices", str(tmp_path / "mine.csv"), "-o", str(tmp_path / "cost"))
    assert "cpu at 0.1 USD/h" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--on", "TPU"), "no price for device 'TPU'"),
        (("--on", ","), "--on takes devices"),
        (("--on", "A100", "--target", "0.9"), "give one of them"),
        (("--from", "cpu"), "name these by --on"),
        (("--on", "A100", "--speeds", "none.csv"), "file 'none.csv' does not exist"),
        (("--on", "A100", "--rates", "none.csv"), "file 'none.csv' does not exist"),
        (("--on", "A100", "--from", "abacus"), "the speed of device 'abacus' is unknown"),
        (("--published", "--on", "A100"), "--on is for results files"),
        (("--prices", "none.csv"), "'none.csv' is neither a number (USD per device-hour) nor a file"),
    ],
)
def test_bad_input_is_one_line(words, expected, tmp_path):
    done = nasbench("cost", CLAIMS, *words, cwd=tmp_path)
    assert done.code == 2
    assert expected in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.sampled(1)
@pytest.mark.parametrize("words", [[CLAIMS], [CLAIMS, "--on", "V100", "--from", "K80"], ["--published"]])
def test_tables_of_costs_have_the_form_that_is_asked_for(tmp_path, words):
    done = nasbench("cost", *words, "--table-format", "csv", "-q", "-o", str(tmp_path / "cost"))
    assert (done.code, done.err) == (0, "")
    heads = done.out.splitlines()[0].split(",")
    assert heads[:2] in (["strategy", "runs"], ["search", "reading"])
    assert "GPU-hours" in heads or "device-hours" in heads
    loud = nasbench("cost", *words, "--table-format", "csv", "-o", str(tmp_path / "cost"))
    assert "note: " in loud.err


@pytest.mark.parametrize("words", [("cost",), ("cost", "--on", "V100"), ("power", "--difference", "0.01")])
def test_what_compare_refuses_is_refused_and_can_be_allowed(tmp_path, words):
    chosen = (words[0], CLAIMS, *words[1:], "--where", "strategy != 'random'")
    refused = nasbench(*chosen, cwd=tmp_path)
    assert refused.code == 2
    assert refused.err == nasbench("compare", *chosen[1:2], *chosen[-2:], cwd=tmp_path).err
    assert "No random search here" in refused.err
    saved = ("-o", str(tmp_path / "cost")) if words[0] == "cost" else ()
    done = nasbench(*chosen, "--allow", "baseline", *saved, cwd=tmp_path)
    assert done.code == 0, done.err
    said = "No random search here: nothing shows that a strategy does better than chance (allowed: baseline)."
    assert f"note: {said}" in done.out
    if saved:
        assert said in (tmp_path / "cost.txt").read_text()


def test_published_searches_are_not_checked(tmp_path):
    done = nasbench("cost", "--published", "--allow", "baseline", cwd=tmp_path)
    assert done.code == 2
    assert "--allow is for results files" in done.err


def test_co2_is_of_measured_energy_only(tmp_path):
    out = call("--carbon-intensity", "DE", "-o", str(tmp_path / "cost"), "--csv", str(tmp_path / "table.csv"))
    assert "CO2e: unknown, because no energy was measured" in out
    assert pd.read_csv(tmp_path / "table.csv")["co2e_grams"].isna().all()
    for words in (("--carbon-intensity", "Atlantis"), ("--carbon-intensity", "50", "--on", "V100")):
        assert nasbench("cost", CLAIMS, *words, "-o", str(tmp_path / "no")).code == 2
