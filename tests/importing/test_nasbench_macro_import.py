"""NAS-Bench-Macro: its seeds, published counts, and files that are not it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import nasbench
from naslib_files import MACRO_NETWORKS, write_macro
from public_tables import needs, table

from nasbench.spaces import get_space
from nasbench.store.query import Results
from nasbench.tabular.importers.nasbench_macro import import_nasbench_macro

GOOD = MACRO_NETWORKS["02012100"]


def test_every_seed_is_a_training_with_one_accuracy_for_search_and_report(tmp_path: Path) -> None:
    path = write_macro(tmp_path / "t.json", MACRO_NETWORKS)
    done = import_nasbench_macro(str(path), str(tmp_path / "t.h5"))
    assert (done.children, done.statuses) == ({"search": 6, "final": 6}, {"ok": 6})
    assert done.remarks == []
    with Results(tmp_path / "t.h5") as results:
        frame = results.frame()
    search, final = frame[frame["stage"] == "search"], frame[frame["stage"] == "final"]
    assert search["val_acc"].tolist() == final["test_acc"].tolist()
    assert search["val_acc"].tolist()[:3] == pytest.approx([0.8947, 0.8895, 0.8917])
    assert search["seed"].tolist() == [0, 1, 2] * 2
    assert set(search["epochs"]) == {50}
    assert (search["params"] == search["published_params"]).all()
    assert (search["mult_adds"] == search["published_mult_adds"]).all()


def test_a_mean_of_other_trainings_and_other_counts_are_said(tmp_path: Path) -> None:
    path = write_macro(tmp_path / "t.json", {"02012100": GOOD | {"mean_acc": 90.0, "params": 1}})
    done = import_nasbench_macro(str(path), str(tmp_path / "t.h5"))
    assert any("mean_acc is not the mean of test_acc for 1 networks" in remark for remark in done.remarks)
    assert any("published_params differ from the closed form in 1 of 1" in remark for remark in done.remarks)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"0201210": GOOD}, "'0201210': an architecture of 'nasbench-macro' is written with 8 digits"),
        ({"02012100": 5}, "'02012100': it is no object, got 5"),
        ({"02012100": GOOD | {"test_acc": []}}, "test_acc is a list with an accuracy per training"),
        ({"02012100": GOOD | {"test_acc": [3184.0]}}, "accuracies in percent, 0 to 100, got 3184.0"),
        ({"02012100": GOOD | {"test_acc": ["90"]}}, "got '90'"),
        ({"02012100": GOOD | {"params": None}}, "params is a whole number, got None"),
        ({"02012100": GOOD | {"flops": True}}, "flops is a whole number, got True"),
        ([], "is no file of NAS-Bench-Macro"),
        ({}, "has no rows to import"),
    ],
)
def test_files_that_are_not_it_are_one_line(tmp_path: Path, document: object, message: str) -> None:
    (tmp_path / "t.json").write_text(json.dumps(document))
    found = nasbench("import", "nasbench-macro", str(tmp_path / "t.json"), "-o", str(tmp_path / "t.h5"))
    assert found.code != 0
    assert message in found.err
    assert "t.json" in found.err
    assert found.err.count("\n") == 1
    assert not (tmp_path / "t.h5").exists()


def test_text_that_is_no_json_is_one_line(tmp_path: Path) -> None:
    for content in (b"\xff\xfe", b"[" * 99_999, b"{"):
        (tmp_path / "t.json").write_bytes(content)
        found = nasbench("import", "nasbench-macro", str(tmp_path / "t.json"), "-o", str(tmp_path / "t.h5"))
        assert (found.code, found.err.count("\n")) == (2, 1)


@pytest.mark.slow
@needs("nas-bench-macro_cifar10.json")
def test_the_published_file_is_complete_with_its_best_network(tmp_path: Path) -> None:
    """6,561 x 3 trainings of 3,969 networks; the best mean is 93.13% of 22212220, and the mean of all 90.25%."""
    published = json.loads(table("nas-bench-macro_cifar10.json").read_text())
    best = max(published, key=lambda text: float(published[text]["mean_acc"]))
    done = import_nasbench_macro(str(table("nas-bench-macro_cifar10.json")), str(tmp_path / "t.h5"))
    assert done.children == {"search": 19_683, "final": 19_683}
    assert done.remarks == []
    with Results(tmp_path / "t.h5") as results:
        frame = results.frame()
    search = frame[frame["stage"] == "search"]
    assert search["hash"].nunique() == 3_969
    means = search.groupby("choices")["val_acc"].mean()
    assert search.groupby("hash")["val_acc"].mean().idxmax() == get_space("nasbench-macro").parse(best).hash
    assert 100 * means.max() == pytest.approx(93.12666, abs=1e-4)
    assert 100 * means.mean() == pytest.approx(90.24659, abs=1e-4)
