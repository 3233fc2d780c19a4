"""Measured quantities as objectives: which measurements are chosen, how they join the children, and what the front becomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import nasbench as command
from searching import search, tiny_plan
from store_rows import measurement

import nasbench
from nasbench.analysis.pareto.objectives import (
    axis_label,
    objective_front,
    objective_points,
    objective_volumes,
    parse_objectives,
    reference_point,
    unmeasured_note,
    with_measured,
)
from nasbench.analysis.report.contents import measured_fronts
from nasbench.errors import InputError, UnknownName
from nasbench.store.format.schema import MEASUREMENT_COLUMNS
from nasbench.store.measured import Wanted, choose, split_names
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter


def rows(*changes: dict[str, Any]) -> pd.DataFrame:
    made = [measurement(number, **columns) for number, columns in enumerate(changes)]
    return pd.DataFrame(made, columns=[column.name for column in MEASUREMENT_COLUMNS])


@pytest.mark.parametrize(
    ("text", "quantity", "conditions"),
    [
        ("latency", "latency", {}),
        (" latency [ method = eager , batch=1 ] ", "latency", {"method": "eager", "batch": "1"}),
        ("latency[device='Chip, 2.1 [GHz]',threads=2]", "latency", {"device": "Chip, 2.1 [GHz]", "threads": "2"}),
        ("m-IoU[]", "m-IoU", {}),
    ],
)
def test_a_quantity_with_conditions(text: str, quantity: str, conditions: dict[str, str]) -> None:
    assert Wanted.parse(text) == Wanted(quantity, conditions)


@pytest.mark.parametrize(
    "text", ["", "[batch=1]", "latency[batch]", "latency[batch=]", "latency]x[", "latency[batch=1"]
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        Wanted.parse(text)


def test_a_condition_names_a_column() -> None:
    with pytest.raises(UnknownName, match="did you mean 'device'"):
        Wanted.parse("latency[devise=x]")


def test_lists_split_at_commas_outside_brackets() -> None:
    assert split_names("error, latency[a=1,b=2] ,,x") == ["error", "latency[a=1,b=2]", "x"]


def test_values_of_different_conditions_are_never_mixed() -> None:
    frame = rows({}, {"method": "compile"}, {"device": "Chip, fast"})
    message = (
        r"measured in 3 ways, which are not averaged: choose one of latency\[device=Abacus,method=eager\], "
        r"latency\[device=Abacus,method=compile\], latency\[device='Chip, fast',method=eager\]$"
    )
    with pytest.raises(InputError, match=message):
        choose(frame, "latency")
    assert choose(frame, "latency[method=compile]").values.tolist() == [frame["value"][1]]
    assert choose(frame, "latency[device='Chip, fast']").values.tolist() == [frame["value"][2]]
    assert choose(frame, "latency[device=chip]").values.tolist() == [frame["value"][2]]
    with pytest.raises(InputError, match="no latency has method='magic'; there is: 'compile', 'eager'"):
        choose(frame, "latency[method=magic]")
    with pytest.raises(InputError, match="batch is a whole number"):
        choose(frame, "latency[batch=one]")


def test_of_repeated_measurements_the_latest_counts() -> None:
    frame = rows({"hash": "a", "measured_at": "2026-02"}, {"hash": "a", "measured_at": "2026-01"}, {"hash": "b"})
    found = choose(frame, "latency")
    assert found.values.to_dict() == {"a": frame["value"][0], "b": frame["value"][2]}
    assert found.repeated == 1


def test_trainings_of_one_architecture_are_averaged() -> None:
    about = {"quantity": "mIoU", "unit": "fraction", "direction": "higher"}
    frame = rows({"hash": "a", "seed": 0, "value": 0.5, **about}, {"hash": "a", "seed": 1, "value": 0.7, **about})
    assert choose(frame, "mIoU").values.to_dict() == {"a": pytest.approx(0.6)}


def test_what_was_not_measured() -> None:
    with pytest.raises(UnknownName, match=r"unknown measured quantity 'energy'.*allowed: latency"):
        choose(rows({}), "energy")
    with pytest.raises(InputError, match="latency was not measured: nasbench latency FILE"):
        parse_objectives("error,latency")
    with pytest.raises(UnknownName, match="did you mean 'latency'"):
        parse_objectives("error,latncy", {"latency"})
    assert parse_objectives("error,latency[batch=2]", {"latency"})[1] == "latency[batch=2]"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("measured") / "r.h5"
    search(tiny_plan(space="nasbench201", budget="8 children", final="none"), path)
    return path


@pytest.fixture
def children(searched: Path) -> pd.DataFrame:
    with Results(searched) as results:
        return results.frame()


def measured_at(hashes: list[str], **columns: Any) -> pd.DataFrame:
    return rows(*({"hash": each, "value": 10.0 ** -(1 + place), **columns} for place, each in enumerate(hashes)))


def test_the_front_of_error_and_latency_by_brute_force(children: pd.DataFrame) -> None:
    hashes = list(dict.fromkeys(children["hash"]))
    frame, names, how = with_measured(children, ("error", "latency"), measured_at(hashes))
    assert how == [f"latency of {len(hashes)} architectures: Abacus, eager, batch 1, 1 thread"]
    points = objective_front(objective_points(frame, names), names)
    assert axis_label("latency", points) == "latency (s)"
    pairs = points[["error", "latency"]].to_numpy()
    beaten = [any((a <= b).all() and (a < b).any() for a in pairs) for b in pairs]
    assert points["front"].tolist() == [not each for each in beaten]
    assert set(points["hash"]) == set(hashes)
    assert unmeasured_note(points) == ""


def test_architectures_without_a_measurement_are_left_out_and_said_so(children: pd.DataFrame) -> None:
    hashes = list(dict.fromkeys(children["hash"]))
    frame, names, _ = with_measured(children, ("error", "latency"), measured_at(hashes[:2]))
    points = objective_points(frame, names)
    assert set(points["hash"]) == set(hashes[:2])
    assert unmeasured_note(points).startswith(f"{len(hashes) - 2} architectures")
    frame, names, _ = with_measured(children, ("error", "latency"), measured_at(["0" * 32]))
    with pytest.raises(InputError, match="no child with a score was measured"):
        objective_points(frame, names)


def test_a_quantity_whose_higher_values_are_better_is_negated(children: pd.DataFrame) -> None:
    hashes = list(dict.fromkeys(children["hash"]))
    measured = measured_at(hashes, quantity="mIoU", unit="", direction="higher")
    frame, names, _ = with_measured(children, ("params", "mIoU"), measured)
    assert names == ("params", "-mIoU")
    points = objective_front(objective_points(frame, names), names)
    best = points.loc[points["-mIoU"].idxmin()]
    assert best["hash"] == hashes[0]
    assert best["front"]
    assert axis_label("-mIoU", points) == "mIoU (← higher is better)"
    assert reference_point(points, names)["-mIoU"] == points["-mIoU"].max()
    assert (objective_volumes(points, names)["hypervolume"] >= 0).all()


def test_the_commands_and_the_calls_read_measurements_of_another_file(searched: Path, tmp_path: Path) -> None:
    with Results(searched) as results:
        hashes = list(dict.fromkeys(results.frame()["hash"]))
    other = tmp_path / "m.h5"
    with ResultsWriter(other) as writer:
        writer.append_measurements(measured_at(hashes).to_dict("records"))
    words = ("pareto", str(searched), "--objectives", "error,latency", "-o", str(tmp_path / "p.png"))
    done = command(*words, "--measurements", str(other))
    assert done.code == 0, done.err
    assert f"latency of {len(hashes)} architectures: Abacus, eager, batch 1, 1 thread." in done.out + done.err
    assert "latency" in pd.read_csv(tmp_path / "p.csv")
    missing = command(*words)
    assert missing.code == 2
    assert "nasbench latency FILE measures it" in missing.err
    found = nasbench.pareto(searched, ["error", "latency[method=eager]"], measurements=other)
    assert found.data["front"].any()
    with pytest.raises(InputError, match="no measurements in this file"):
        nasbench.pareto(searched, ["error", "latency"], measurements=searched)
    assert command("pareto", str(searched), "--measurements", str(other)).code == 2


def test_rank_correlations_of_counts_and_measured_quantities(searched: Path, tmp_path: Path) -> None:
    with Results(searched) as results:
        frame = results.frame()
    counts = frame.drop_duplicates("hash").set_index("hash")["mult_adds"]
    with ResultsWriter(tmp_path / "m.h5") as writer:
        writer.append_measurements([measurement(0, hash=each, value=1e-9 * count) for each, count in counts.items()])
    words = ("correlations", str(searched), "--of", "mult_adds,latency[batch=1]", "-o", str(tmp_path / "c.png"))
    done = command(*words, "--measurements", str(tmp_path / "m.h5"), "--csv", str(tmp_path / "t.csv"))
    assert done.code == 0, done.err
    table = pd.read_csv(tmp_path / "t.csv")
    assert table[["first", "second", "among", "n"]].values.tolist() == [
        ["mult_adds", "latency[batch=1]", "all", len(counts)]
    ]
    assert table["kendall"].tolist() == [1.0]
    assert command(*words).code == 2
    assert command("correlations", str(searched), "--of", "mult_adds").code == 2
    assert command("correlations", str(searched), "--of", "mult_adds,strategy").code == 2


def test_query_joins_measured_quantities_and_prints_measurements(searched: Path, tmp_path: Path) -> None:
    with Results(searched) as results:
        frame = results.frame(stage="search")
    hashes = list(dict.fromkeys(frame["hash"]))[:3]
    other = str(tmp_path / "m.h5")
    with ResultsWriter(other) as writer:
        writer.append_measurements(measured_at(hashes).to_dict("records"))
        writer.append_measurements(measured_at(hashes, method="compile", value=5.0).to_dict("records"))
    query = ("query", str(searched), "--measurements", other, "--format", "json")

    def rows_of(*words: str) -> list[dict[str, Any]]:
        done = command(*query, *words)
        assert done.code == 0, done.err
        return json.loads(done.out)

    found = rows_of("--measure", "latency[method=eager]", "--columns", "hash,latency", "--sort", "latency")
    assert [row["latency"] for row in found[:1]] == [0.1]
    assert {row["hash"]: row["latency"] for row in found if row["latency"] is not None} == {
        each: pytest.approx(10.0 ** -(1 + place)) for place, each in enumerate(hashes)
    }
    assert len(found) == len(frame)
    few = rows_of("-m", "latency[method=eager]", "--where", "latency < 0.05 and params > 0")
    assert {row["hash"] for row in few} == set(hashes[1:])
    assert all("latency" in row for row in few)
    named = rows_of(
        "--columns", "latency[method=compile,batch=1]", "--sort", "latency[method=compile]:asc", "--head", "1"
    )
    assert named == [{"latency[method=compile,batch=1]": 5.0}]
    table = rows_of("--measured", "--where", "method == 'compile'")
    assert [row["hash"] for row in table] == hashes
    for words in (("--columns", "latency"), ("--columns", "latncy"), ("-m", "energy"), ("--sort", "latency")):
        assert command(*query, *words).code == 2


@pytest.mark.slow
def test_the_report_has_the_front_of_each_quantity_and_way(searched: Path, tmp_path: Path) -> None:
    with Results(searched) as results:
        frame = results.frame(stage="search")
    hashes = list(dict.fromkeys(frame["hash"]))
    other = str(tmp_path / "m.h5")
    with ResultsWriter(other) as writer:
        writer.append_measurements(measured_at(hashes).to_dict("records"))
        writer.append_measurements(measured_at(hashes[:2], method="compile").to_dict("records"))
    with Results(other) as results:
        found = measured_fronts(frame, results.measurements())
    for method, part in found.groupby(found["conditions"].str.split(", ").str[1]):
        assert set(part["measured"]) == {len(hashes) if method == "eager" else 2}
        assert part["value"].is_monotonic_increasing
        assert part["val_acc"].is_monotonic_increasing  # whoever is slower is more accurate, or not on the front
    with_them, without = str(tmp_path / "with.md"), str(tmp_path / "without.md")
    assert command("report", str(searched), "--measurements", other, "-o", with_them).code == 0
    assert command("report", str(searched), "-o", without).code == 0
    text = Path(with_them).read_text()
    assert "Measured: fronts with validation accuracy" in text
    assert "Abacus, compile, batch 1, 1 thread 2 architectures" in text
    assert "Measured" not in Path(without).read_text()
    page = tmp_path / "page.html"
    assert command("report", str(searched), "--measurements", other, "-o", str(page)).code == 0
    assert "Measured quantities" in page.read_text()
