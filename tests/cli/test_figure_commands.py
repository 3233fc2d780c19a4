"""`nasbench draw` and `nasbench reproduce` as users call them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import store_rows
from click.testing import CliRunner
from commands import nasbench

from nasbench.cli.main import nasbench as group
from nasbench.spaces import get_space
from nasbench.store.writer import ResultsWriter

SPACE = get_space("nasnet:blocks=1")


@pytest.fixture
def results(tmp_path) -> Path:
    """Three children of one run of a search."""
    path = tmp_path / "runs.h5"
    shared = {"space": SPACE.spec, "strategy": "reinforce", "protocol": "digits", "data": "digits", "device": "cpu"}
    shared |= {"counted": True, "epochs": 2, "train_seconds": 1.0, "eval_seconds": 0.1, "setup_seconds": 0.1}
    run = {name: shared[name] for name in ("space", "strategy", "protocol", "data")}
    with ResultsWriter(path) as writer:
        writer.put_run(store_rows.run("abc123", fingerprint="f" * 16, budget="3 children", children=3, **run))
        for number, score in enumerate((0.7, 0.9, 0.8)):
            architecture = SPACE.decode([number % decision.options for decision in SPACE.decisions])
            values = {"hash": architecture.hash, "choices": json.dumps(architecture.choices), "val_acc": score}
            values |= {"val_acc_best": score, "reward": score, "params": 100 + number, "mult_adds": 900 + number}
            row, curves = store_rows.child(number, "abc123", **shared, **values)
            writer.append_child(row, curves)
    return path


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Run a command in an empty folder; it must succeed."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        done = CliRunner().invoke(group, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


@pytest.mark.parametrize("figure", list("2345"))
def test_each_figure_writes_two_pictures_and_a_table(call, figure, tmp_path):
    out = call("reproduce", "--figure", figure)
    assert out.splitlines() == [f"wrote figure-{figure}.{ending}" for ending in ("png", "svg", "csv")]
    assert (tmp_path / f"figure-{figure}.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / f"figure-{figure}.svg").read_text()
    assert len(pd.read_csv(tmp_path / f"figure-{figure}.csv")) > 7


def test_the_loop_of_a_run(call, results, tmp_path):
    call("reproduce", "--figure", "1", str(results), "--run", "abc", "-o", "loop/one")
    table = pd.read_csv(tmp_path / "loop" / "one.csv")
    assert table["best_so_far"].tolist() == [0.7, 0.9, 0.9]
    assert set(table["reward_is"]) == {"validation accuracy"}
    assert "architecture " + table["hash"][1][:8] in (tmp_path / "loop" / "one.svg").read_text()


@pytest.mark.slow
def test_our_own_runs_in_figure_6(call, results, tmp_path):
    out = call("reproduce", "--figure", "6", str(results))
    assert "note: No random search here" in out
    assert pd.read_csv(tmp_path / "figure-6.csv")["panel"].value_counts()["ours"] == 3


@pytest.mark.slow
def test_without_a_results_file_figure_7_is_the_published_one(call, tmp_path):
    out = call("reproduce", "--figure", "7")
    assert out.startswith('note: without our own runs, no results/demo/demo.h5 ("make demo" makes it); or give a file')
    assert "panel" not in pd.read_csv(tmp_path / "figure-7.csv")


def test_the_demo_is_what_is_drawn_without_files(call, results, tmp_path):
    (tmp_path / "results" / "demo").mkdir(parents=True)
    results.rename(tmp_path / "results" / "demo" / "demo.h5")
    assert "wrote figure-1.png" in call("reproduce", "--figure", "1")


def test_the_list_of_figures(call):
    lines = call("reproduce").splitlines()
    assert len(lines) == 8
    assert lines[1].startswith("1       the search loop")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reproduce", "--figure", "1"], 'no results/demo/demo.h5 ("make demo" makes it); or give a file'),
        (["reproduce", "--figure", "8"], "unknown figure '8'; allowed: 1, 2, 3, 4, 5, 6, 7"),
        (["reproduce", "--figure", "1", "none.h5"], "none.h5"),
        (["draw", "nas-v1", "--skeleton", "cifar"], "nas-v1 has no cells to repeat (it is a LayerStack)"),
        (["draw", "nasnet-a", "--cells", "2"], "add --skeleton cifar or --skeleton imagenet"),
        (["draw", "nasnet-a", "--skeleton", "imagenet", "--pixels", "2"], "images of 3 pixels or more, got 2"),
        (["draw", "nasnet-a", "-o", "a.gif"], "must end in .png, .svg or .pdf"),
    ],
)
def test_bad_input_is_one_line(tmp_path, words, message):
    done = nasbench(*words, cwd=tmp_path)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.glob("*.png"))


def test_drawing_by_name_hash_and_json(call, results, tmp_path):
    architecture = SPACE.decode([1 % decision.options for decision in SPACE.decisions])
    assert call("draw", "nas-v1") == "wrote nas-v1.png\n"
    assert call("draw", architecture.hash[:10], str(results)) == f"wrote {architecture.hash[:12]}.png\n"
    assert call("draw", architecture.to_json(), "-o", "same.png") == "wrote same.png\n"
    assert (tmp_path / "same.png").read_bytes() == (tmp_path / f"{architecture.hash[:12]}.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["nasnet-a", "--skeleton", "cifar"], ["nasnet-a 6@768", "32 × 32", "normal cell × 6"]),
        (["nasnet-a", "--skeleton", "imagenet"], ["nasnet-a 6@4032", "331 × 331", "4,032"]),
        (["nasnet-a", "--skeleton", "imagenet", "--cells", "4", "--filters", "44"], ["nasnet-a 4@1056", "224 × 224"]),
        (["pnasnet-5", "--skeleton", "cifar", "--cells", "3", "--filters", "48"], ["3@960", "normal cell × 2"]),
        (
            ["amoebanet-a", "--skeleton", "imagenet", "--filters", "190"],
            ["amoebanet-a 6@190", "86.7M", ">165 × 165<", ">32<"],
        ),
    ],
)
def test_drawing_networks_of_cells(call, tmp_path, words, texts):
    call("draw", *words, "-o", "network.svg")
    drawn = (tmp_path / "network.svg").read_text()
    assert all(text in drawn for text in texts)
