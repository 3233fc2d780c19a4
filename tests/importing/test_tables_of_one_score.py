"""A table with one score per architecture, no test scores and no costs, of a space that the suite cannot build."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import nasbench

from nasbench.errors import InputError
from nasbench.spaces import from_json, get_space
from nasbench.spaces.choices import ChoiceSpace
from nasbench.store.judged import values_of_trainings
from nasbench.store.query import Results
from nasbench.tabular.importers.csv_parquet import import_tabular
from nasbench.tabular.tables import read_table

OPTIONS = (3, 3, 2, 3)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [
        ("".join(map(str, c)), 50 + sum(c) + 0.1 * c[0], 100 + c[1]) for c in itertools.product(*map(range, OPTIONS))
    ]
    pd.DataFrame(rows, columns=["arch", "mean_acc", "params"]).to_csv(tmp_path / "macro.csv", index=False)
    maps = [w for pair in ("architecture=arch", "val_acc=mean_acc", "params=params") for w in ("--map", pair)]
    words = ("--space", "choices:3/3/2/3", "--percent", "val_acc", "--set", "data=cifar10")
    done = nasbench("import", "csv", str(tmp_path / "macro.csv"), "-o", str(tmp_path / "macro.h5"), *maps, *words)
    assert (done.code, done.err) == (0, "")
    return tmp_path / "macro.h5"


def test_stats_say_that_there_are_no_test_scores(table: Path) -> None:
    done = nasbench("table", "stats", str(table))
    assert (done.code, done.err) == (0, "")
    assert "54 trainings (54 ok) of 54 architectures" in done.out
    assert "highest mean validation accuracy: 0.5720" in done.out
    assert "there are no test accuracies" in done.out
    assert "nan" not in done.out.lower()
    with Results(table) as results:
        digest = str(results.frame()["hash"][0])
    near = nasbench("table", "neighbours", digest, str(table))
    assert (near.code, near.err) == (0, "")
    assert f"{sum(OPTIONS) - len(OPTIONS)} neighbours of other hashes" in near.out


def test_the_report_has_dashes_for_what_is_not_known(table: Path) -> None:
    done = nasbench("report", str(table), "--format", "md", "--title", "<b>mine</b>")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert "<b>" not in lines[0]
    assert lines[2].startswith("54 trainings of 54 architectures, 1 seed; mean validation accuracy 50.00 to 57.20 %, ")
    best = next(line for line in lines if line.startswith("| ") and " 57.20 " in line).strip("| ").split(" | ")
    assert best[1:] == ["1", "57.20", "–", "–", "102", "–", "–"]
    assert "nan" not in done.out.lower().split()
    assert "(1 runs)" not in done.out
    assert " -1 " not in done.out


def test_replays_count_children_and_report_the_validation_accuracy(table: Path, tmp_path: Path) -> None:
    words = ("replay", "--table", str(table), "--strategy", "random", "--strategy", "evolution:population=4,sample=2")
    done = nasbench(
        *words, "--seeds", "6", "--budget", "20 children", "-o", str(tmp_path / "r.h5"), "--plot", "r.png", cwd=tmp_path
    )
    assert done.code == 0, done.err
    assert "best in the table: 57.20, validation accuracy: there are no test scores\n" in done.out
    assert "nan" not in done.out.lower()
    assert "validation accuracy, as there are no test scores" in (tmp_path / "r.txt").read_text()
    assert nasbench("check", str(tmp_path / "r.h5")).code == 0
    with Results(tmp_path / "r.h5") as results:
        frame, runs = results.frame(), results.runs()
    assert frame["test_acc"].isna().all()
    assert frame["device_seconds"][frame["stage"] == "search"].isna().all()  # unknown, and not 0
    assert runs["cached_hours"].isna().all()
    for command in (("compare",), ("cost",), ("regret", "--table", str(table)), ("report",)):
        out = ("-o", "page.html") if command[0] == "report" else ()
        shown = nasbench(command[0], str(tmp_path / "r.h5"), *command[1:], *out, cwd=tmp_path)
        assert shown.code == 0, shown.err
    compared = nasbench("compare", str(tmp_path / "r.h5"), cwd=tmp_path).out
    assert "no score" in compared
    assert "nan" not in compared  # hours and USD are not known: -


def test_other_budgets_are_refused_in_one_line(table: Path) -> None:
    done = nasbench("replay", "--table", str(table), "--strategy", "random", "--seeds", "2")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "does not say what a child costs; give a budget in children" in done.err


def test_limits_on_unknown_counts_are_not_satisfied(table: Path) -> None:
    found = read_table(table)
    assert found.fitting("params <= 101").sum() == 36
    assert found.fitting("mult_adds <= 1e9").sum() == 0
    assert found.fitting("").all()


@pytest.mark.parametrize(
    "text",
    ["2012", "2/0/1/2", "(2, 0, 1, 2)", "[2, 0, 1, 2]", "2 0 1 2", "2-0-1-2", "2_0_1_2", "41"],
)
def test_an_architecture_is_digits_numbers_or_a_position(text: str) -> None:
    space: Any = get_space("choices:3/3/2/3")
    assert space.parse(text).choices == (2, 0, 1, 2)


def test_the_space_reads_back_what_it_writes() -> None:
    for spec in ("choices:3/3/2/3", "choices:12/2", "choices:4/4/4/4/4/4", "choices:7"):
        space: Any = get_space(spec)
        assert (space.spec, get_space(space.spec)) == (spec, space)
        for position in range(0, space.size, 7):
            choices = [position // place % count for place, count in zip(_places(space.options), space.options)]
            architecture = space.decode(choices)
            assert space.parse(space.describe(architecture)) == architecture
            assert from_json(architecture.to_json()) == architecture
            assert space.canonical(architecture) is architecture
    space = get_space("choices:3/3/2/3")
    every = [space.decode(c) for c in itertools.product(*map(range, OPTIONS))]
    assert len({architecture.hash for architecture in every}) == 54
    assert [space.parse(json.dumps(list(a.choices))) for a in every] == every


def _places(options: tuple[int, ...]) -> list[int]:
    places = [1]
    for count in reversed(options[1:]):
        places.insert(0, places[0] * count)
    return places


@pytest.mark.parametrize("spec", ["choices", "choices:", "choices:3/x", "choices:0/2", "choices:3,3", "choices:-1"])
def test_options_that_are_none_are_refused(spec: str) -> None:
    with pytest.raises(InputError, match="choices:3/3/3/3"):
        get_space(spec)


@pytest.mark.parametrize("text", ["3000", "201", "2/0/1", "54", "two", "2/0/1/3"])
def test_an_architecture_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        get_space("choices:3/3/2/3").parse(text)  # type: ignore[attr-defined]


def test_there_are_no_networks(tmp_path: Path) -> None:
    space = ChoiceSpace(options=(2, 2))
    architecture = space.decode([0, 1])
    for call in (space.structure, space.count, lambda each: space.build(each, space.default_scale)):
        with pytest.raises(InputError, match="has no networks"):
            call(architecture)
    done = nasbench(
        "run", "--space", "choices:2/2", "--strategy", "random", "--budget", "2 children", "-o", str(tmp_path / "x.h5")
    )
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "has no networks to train; search a complete table of it: nasbench replay" in done.err
    assert not list(tmp_path.iterdir())


def test_several_trainings_with_one_seed_have_the_mean_of_their_scores(tmp_path):
    """Without a column of seeds all have the seed -1; the first cell was trained twice."""
    (tmp_path / "t.csv").write_text(
        "arch,acc,vf,tf\n00,0.50,0.10,0.11\n00,0.52,0.90,0.91\n01,0.60,0.40,0.41\n10,0.60,0.45,0.46\n11,0.61,0.47,0.48\n"
    )
    given = {"data": "d", "protocol": "p"}
    judged = {"architecture": "arch", "val_f1::higher": "vf", "test_f1::higher": "tf"}
    import_tabular(str(tmp_path / "t.csv"), str(tmp_path / "a.h5"), "choices:2/2", judged, given)
    table = read_table(str(tmp_path / "a.h5"))
    assert table.val_acc.tolist() == pytest.approx([0.5, 0.4, 0.45, 0.47])
    assert table.test_acc.tolist() == pytest.approx([0.51, 0.41, 0.46, 0.48])
    beside = {"architecture": "arch", "val_acc": "acc", "val_f1::higher": "vf"}
    import_tabular(str(tmp_path / "t.csv"), str(tmp_path / "b.h5"), "choices:2/2", beside, given)
    assert read_table(str(tmp_path / "b.h5"), score="val_f1").val_acc[0] == pytest.approx(0.5)


def test_a_later_measurement_of_a_training_replaces_an_earlier_one(tmp_path):
    """Of two measurements of one training, made at known times, the later one counts, whatever their order in the file."""
    (tmp_path / "t.csv").write_text("arch,acc,vf\n00,0.50,0.10\n01,0.60,0.40\n10,0.60,0.45\n11,0.61,0.47\n")
    columns = {"architecture": "arch", "val_acc": "acc", "val_f1::higher": "vf"}
    import_tabular(
        str(tmp_path / "t.csv"), str(tmp_path / "a.h5"), "choices:2/2", columns, {"data": "d", "protocol": "p"}
    )
    with Results([str(tmp_path / "a.h5")]) as results:
        frame, rows = results.frame(), results.measurements()
    earlier = rows.assign(measured_at="2026-01-01T00:00:00Z", value=0.9)
    later = rows.assign(measured_at="2026-02-01T00:00:00Z")
    for order in ([earlier, later], [later, earlier]):
        found = values_of_trainings(frame, pd.concat(order, ignore_index=True))
        assert found.tolist() == pytest.approx([0.10, 0.40, 0.45, 0.47])
