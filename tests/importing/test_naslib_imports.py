"""TransNAS-Bench-101 and NAS-Bench-Suite-Zero as NASLib publishes them: units, numbers of architectures, bad files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from commands import nasbench
from naslib_files import row, write_zip
from public_tables import needs, table

from nasbench.errors import InputError, UnknownName
from nasbench.spaces import get_space
from nasbench.store.query import Results
from nasbench.structures import Scale
from nasbench.tabular.importers.naslib_blocks import read_blocks
from nasbench.tabular.importers.suite_zero import import_suite_zero, read_architecture
from nasbench.tabular.importers.transnas import TASKS, import_transnas
from nasbench.tabular.tables import agreement, read_tables

MICRO = "zen/transbench101_micro"
CELL = "(2, 3, 2, 3, 2, 3)"
SCORES = {
    "class_object": (45.5, ""),
    "class_scene": (54.5, ""),
    "jigsaw": (95.0, ""),
    "normal": (0.58, "val_ssim"),
    "autoencoder": (0.57, "val_ssim"),
    "segmentsemantic": (94.6, "val_pixels_right"),
    "room_layout": (-0.6, "val_neg_loss"),
}


def seven_tasks(path: Path) -> str:
    return str(
        write_zip(path, {f"{MICRO}/{task}/0": [(CELL, score, 150.5, 5.5)] for task, (score, _) in SCORES.items()})
    )


def test_every_task_has_its_own_unit_and_only_classifications_have_accuracies(tmp_path: Path) -> None:
    assert set(SCORES) == set(TASKS)
    done = import_transnas(seven_tasks(tmp_path / "t.zip"), str(tmp_path / "t.h5"))
    assert (done.children, done.runs, done.statuses) == ({"search": 7}, 7, {"ok": 7})
    with Results(tmp_path / "t.h5") as results:
        frame, rows, runs = results.frame().set_index("data"), results.measurements(), results.runs().set_index("data")
    for task, (score, quantity) in SCORES.items():
        stated = json.loads(runs["config"][task]).get("score", {}).get("name", "")
        mine = rows[(rows["data"] == task) & rows["quantity"].str.startswith("val_")]
        assert stated == quantity
        if quantity:
            assert np.isnan(frame["val_acc"][task])
            assert frame["reward"][task] == mine["value"].item() == score
            assert (mine["quantity"].item(), mine["direction"].item()) == (quantity, "higher")
            assert mine["unit"].item() == ("%" if task == "segmentsemantic" else "")
        else:
            assert frame["val_acc"][task] == pytest.approx(score / 100)
            assert mine.empty
        zen = rows[(rows["data"] == task) & (rows["quantity"] == "zen")]
        assert (zen["value"].item(), zen["method"].item()) == (150.5, "NASLib")
        assert frame["epochs"][task] == TASKS[task].epochs
    space = get_space("transnas-micro")
    counted = {
        task: space.count(space.parse(CELL), Scale(2, 64, 256, 3, n))
        for task, n in (("class_object", 75), ("class_scene", 47))
    }
    for task, counts in counted.items():
        assert (frame["params"][task], frame["mult_adds"][task]) == counts
    assert set(frame.loc[frame.index.difference(list(counted)), "params"].fillna(-1)) == {-1}


def test_a_zen_score_that_is_not_defined_is_missing_and_said(tmp_path: Path) -> None:
    write_zip(
        tmp_path / "t.zip", {f"{MICRO}/jigsaw/0": [(CELL, 90.0, 150.5, 1.0), ("(0, 0, 0, 0, 0, 0)", 0.05, -1e8, 1.0)]}
    )
    found = nasbench("import", "transnas", str(tmp_path / "t.zip"), "-o", str(tmp_path / "t.h5"))
    assert "zen is missing for 1 trainings: the source has -1e+08" in found.out
    with Results(tmp_path / "t.h5") as results:
        zen = results.measurements().query("quantity == 'zen'")
    assert zen["value"].tolist() == [150.5]


def test_tasks_can_be_chosen(tmp_path: Path) -> None:
    path = seven_tasks(tmp_path / "t.zip")
    found = nasbench("import", "transnas", path, "-o", str(tmp_path / "t.h5"), "--tasks", "jigsaw, normal")
    assert "2 trainings read, 2 stored" in found.out
    with pytest.raises(UnknownName, match="class_objects"):
        import_transnas(path, str(tmp_path / "u.h5"), ["class_objects"])
    one = write_zip(tmp_path / "one.zip", {f"{MICRO}/jigsaw/0": [(CELL, 90.0, 1.0, 1.0)]})
    found = nasbench("import", "transnas", str(one), "-o", str(tmp_path / "u.h5"), "--tasks", "normal")
    assert (found.code, found.err.count("\n")) == (2, 1)


ONE = {f"{MICRO}/jigsaw/0": [(CELL, 90.0, 1.0, 1.0)]}


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({f"{MICRO}/jigsaw/0": [(CELL, 90.0, 1.0, 1.0)] * 2}, "record 1: 64-41414-2_32_323 occurs twice for jigsaw"),
        ({f"{MICRO}/jigsaw/0": [(CELL, 3184.0, 1.0, 1.0)]}, "record 0: val_acc is 31.84, not a fraction"),
        ({f"{MICRO}/jigsaw/0": [("(2, 3)", 90.0, 1.0, 1.0)]}, "record 0: a cell of 'transnas-micro' is written as"),
        ({f"{MICRO}/jigsaw/0": [(CELL, float("inf"), 1.0, 1.0)]}, "val_accuracy is a number, got inf"),
        ({f"{MICRO}/tsp/0": [(CELL, 90.0, 1.0, 1.0)]}, "tasks are class_object, class_scene, jigsaw"),
        ({"zen/nasbench201/cifar10/0": [(CELL, 90.0, 1.0, 1.0)]}, "nasbench import suite-zero"),
    ],
)
def test_wrong_records_are_one_line_with_file_and_record(tmp_path: Path, blocks: dict, message: str) -> None:
    write_zip(tmp_path / "t.zip", blocks)
    found = nasbench("import", "transnas", str(tmp_path / "t.zip"), "-o", str(tmp_path / "t.h5"))
    assert found.code == 2
    assert message in found.err
    assert "t.zip" in found.err
    assert found.err.count("\n") == 1
    assert not (tmp_path / "t.h5").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "record 0: it is no object, got 1"),
        ("{}", "it is no JSON list"),
        ("[" * 99_999, "nested too deeply"),
        ("[{", "is no JSON that can be read"),
        (json.dumps([row("zen", 0, CELL, 90.0, 1.0, 1.0) | {"zen": 5}]), "zen is an object with score and time, got 5"),
        (json.dumps([row("zen", 0, CELL, 90.0, 1.0, 1.0) | {"arch": [2, 3]}]), "arch is a text, got [2, 3]"),
        (json.dumps([row("zen", 0, CELL, "90", 1.0, 1.0)]), "val_accuracy is a number, got '90'"),  # type: ignore[arg-type]
        (json.dumps([row("zen", 0, CELL, True, 1.0, 1.0)]), "val_accuracy is a number, got True"),
        ('[{"arch": "' + "(" * 9_999 + '"}]', "arch is a text"),
    ],
)
def test_strangers_files_in_a_zip_are_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = write_zip(tmp_path / "t.zip", {}, {f"{MICRO.replace('/', '/benchmark--')}--jigsaw--0.json": content})
    with pytest.raises(InputError) as caught:
        read_blocks(str(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_zip_of_these_files_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    write_zip(tmp_path / "other.zip", {}, {"readme.txt": "hello"})
    whole = write_zip(tmp_path / "whole.zip", {f"{MICRO}/jigsaw/0": [(CELL, 90.0, 1.0, 1.0)] * 300}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    damaged = bytearray(whole)
    damaged[200:260] = bytes(60)
    (tmp_path / "damaged.zip").write_bytes(damaged)
    for name in ("text.zip", "other.zip", "cut.zip", "damaged.zip"):
        found = nasbench("import", "transnas", str(tmp_path / name), "-o", str(tmp_path / "t.h5"))
        assert found.code == 2, name
        assert "is no zip of NASLib's JSON files" in found.err
        assert found.err.count("\n") == 1


def test_a_file_that_claims_more_than_any_block_has_is_refused_unread(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{MICRO.replace('/', '/benchmark--')}--jigsaw--0.json", b" " * ((64 << 20) + 1))
    with pytest.raises(InputError, match="a file has at most 67,108,864"):
        read_blocks(str(tmp_path / "t.zip"))


@pytest.mark.parametrize(
    ("space", "numbers", "written"),
    [
        (
            "nasbench201",
            "(4, 0, 1, 3, 2, 4)",
            "|avg_pool_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|",
        ),
        ("transbench101_micro", "(0, 3, 1, 0, 2, 3)", "64-41414-1_21_032"),
        (
            "nasbench101",
            str((0, 1, 1, *[0] * 4, *[0] * 3, 1, *[0] * 3, *[0] * 6, 1, *[0] * 6, 1, *[0] * 21, 0, 2, 4, 3, 2, 2, 1)),
            "1 maxpool3x3 [0]; 2 conv3x3-bn-relu [0]; 3 conv1x1-bn-relu [1]; out [2,3]",
        ),
        (
            "nasbench301",
            "(" + ", ".join(["((0, 5), (1, 3), (1, 5), (2, 0), (1, 5), (2, 1), (0, 5), (4, 4))"] * 2) + ")",
            "Genotype",
        ),
    ],
)
def test_numbers_of_naslib_are_read_as_naslib_means_them(space: str, numbers: str, written: str) -> None:
    """Its edges go by the node that they leave, and its operations begin with the skip."""
    assert str(read_architecture(space, numbers)).startswith(written)


@pytest.mark.parametrize(
    "text", ["", "(1, 2)", "(5, 0, 0, 0, 0, 0)", "__import__('os')", "(" * 3_000, "(1, 2, 3, 4, 0, 0.5)"]
)
def test_numbers_that_are_no_cell_are_refused(text: str) -> None:
    for space in ("nasbench201", "nasbench101", "transbench101_micro"):
        with pytest.raises(InputError):
            read_architecture(space, text)


def test_proxies_are_measurements_and_counts_are_stated_ones(tmp_path: Path) -> None:
    cell = "(4, 3, 3, 3, 2, 3)"
    names = ("synflow", "zen", "flops", "params")
    scores = dict(zip(names, (65.9, -1e8, 62.5, 0.428346)))
    write_zip(
        tmp_path / "t.zip", {f"{name}/nasbench201/cifar10/0": [(cell, 88.24, scores[name], 0.5)] for name in names}
    )
    found = nasbench("import", "suite-zero", str(tmp_path / "t.zip"), "-o", str(tmp_path / "t.h5"))
    assert "1 trainings read, 1 stored: 1 ok" in found.out.replace("1 training read", "1 trainings read")
    assert "its mark of an undefined proxy: zen of 1" in found.out
    with Results(tmp_path / "t.h5") as results:
        (child,), rows = results.frame().to_dict("records"), results.measurements().set_index("quantity")
    assert (child["val_acc"], child["params"], child["published_params"]) == (0.8824, 428_346, 428_346)
    assert rows["value"].drop(["synflow_seconds", "zen_seconds", "flops_seconds", "params_seconds"]).to_dict() == {
        "synflow": 65.9,
        "flops": 62.5,
    }
    assert (rows["unit"]["flops"], rows["direction"]["flops"], rows["direction"]["synflow"]) == ("M", "lower", "higher")
    assert rows["unit"]["zen_seconds"] == "s"


def test_files_of_a_zip_must_agree(tmp_path: Path) -> None:
    cell = "(4, 3, 3, 3, 2, 3)"
    for second, message in ((87.0, "another val_accuracy"), (88.0, "")):
        blocks = {
            "snip/nasbench201/svhn/0": [(cell, 88.0, 1.0, 1.0)],
            "zen/nasbench201/svhn/0": [(cell, second, 1.0, 1.0)],
        }
        write_zip(tmp_path / "t.zip", blocks)
        found = nasbench("import", "suite-zero", str(tmp_path / "t.zip"), "-o", str(tmp_path / f"{second}.h5"))
        assert (found.code, message in found.err) == ((2, True) if message else (0, True))
    write_zip(tmp_path / "t.zip", {"snip/nasbench201/svhn/0": [(cell, 88.0, 1.0, 1.0)] * 2})
    with pytest.raises(InputError, match=r"record 1: .* is there twice"):
        import_suite_zero(str(tmp_path / "t.zip"), str(tmp_path / "x.h5"))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "no object, got []"),
        ({"nasbench201": 5}, "no object at nasbench201, got 5"),
        ({"nasbench201": {"cifar10": {"(4, 3, 3, 3, 2, 3)": {"sinflow": 1.0}}}}, "no proxy 'sinflow'"),
        ({"nasbench201": {"cifar10": {"(4, 3, 3, 3, 2, 3)": {"synflow": "x"}}}}, "synflow is a number, got 'x'"),
        ({"nasbench201": {"cifar10": {"(9, 3, 3, 3, 2, 3)": {"val_accuracy": 90}}}}, "numbers of 0 to 4"),
        ({"nasbench201": {"cifar10": {"(4, 3, 3, 3, 2, 3)": {"val_accuracy": 900}}}}, "not a fraction"),
        ({"mbv3": {"imagenet": {"1": {"val_accuracy": 90}}}}, "space 'mbv3' cannot be imported"),
        ({"transbench101_micro": {"jigsaw": {"(1,)": {}}}}, "nasbench import transnas"),
        ({}, "has no rows to import"),
    ],
)
def test_strangers_json_files_are_one_line(tmp_path: Path, document: object, message: str) -> None:
    (tmp_path / "t.json").write_text(json.dumps(document))
    found = nasbench("import", "suite-zero", str(tmp_path / "t.json"), "-o", str(tmp_path / "t.h5"))
    assert message in found.err
    assert (found.code == 0, found.err.count("\n")) == (False, 1)


# Published checks, on the real files

# Highest validation score of a single training of each task.
BEST = {
    "micro": {
        "class_object": 45.5862, "class_scene": 54.9363, "jigsaw": 95.3722, "segmentsemantic": 94.6125,
        "room_layout": -0.6010, "normal": 0.5873, "autoencoder": 0.5772,
    },
    "macro": {
        "class_object": 47.4224, "class_scene": 57.4144, "jigsaw": 97.0193, "segmentsemantic": 94.8585,
        "room_layout": -0.5822, "normal": 0.6435, "autoencoder": 0.7488,
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("part", "rows", "hashes"), [("micro", 4_096, 1_376), ("macro", 3_256, 3_256)])
@needs("transnas_micro_zen.zip", "transnas_macro_zen.zip")
def test_the_published_table_is_complete_with_its_known_optima(
    tmp_path: Path, part: str, rows: int, hashes: int
) -> None:
    done = import_transnas(str(table(f"transnas_{part}_zen.zip")), str(tmp_path / "t.h5"))
    assert (done.children, done.runs) == ({"search": 7 * rows}, 7)
    with Results(tmp_path / "t.h5") as results:
        frame = results.frame()
    assert frame.groupby("data")["hash"].nunique().to_dict() == dict.fromkeys(TASKS, hashes)
    best = frame.groupby("data")["reward"].max()
    for task, expected in BEST[part].items():
        factor = 100 if TASKS[task].score is None else 1
        assert factor * best[task] == pytest.approx(expected, abs=6e-5), task
    from nasbench.tabular.tables import Selection

    searched, *others = read_tables(tmp_path / "t.h5", [Selection(task) for task in TASKS])
    assert all(0 < agreement(searched, other) < 1 for other in others)


@pytest.mark.slow
@needs("nbsuitezero_9x_all.zip", "zc_nasbench101.json", "zc_nasbench201.json", "zc_nasbench301.json")
def test_the_published_proxies_are_read_with_their_counts(tmp_path: Path) -> None:
    """Of NAS-Bench-101 and 201, stated parameters are those of our networks, but for layers that reach nothing there."""
    done = import_suite_zero(str(table("nbsuitezero_9x_all.zip")), str(tmp_path / "zip.h5"))
    assert (sum(done.children.values()), done.runs) == (1_770, 9)
    for number, rows, differing in ((101, 500, 26), (201, 1_473, 378), (301, 500, 0)):
        done = import_suite_zero(str(table(f"zc_nasbench{number}.json")), str(tmp_path / f"{number}.h5"))
        assert sum(done.children.values()) == rows
        with Results(tmp_path / f"{number}.h5") as results:
            frame = results.frame()
        known = frame.dropna(subset=["params"])
        assert int(((known["params"] - known["published_params"]).abs() > 1).sum()) == differing
