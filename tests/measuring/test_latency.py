"""Latencies as rows: what is measured, by which method, and what the command stores. No test asserts a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from commands import nasbench
from onnx_exports import require_onnx_export
from searching import search, tiny_plan

from nasbench.api.measuring import latency
from nasbench.errors import InputError
from nasbench.measuring import runners
from nasbench.measuring.latency import measure_latency
from nasbench.measuring.runners import Setting, build_network, runner
from nasbench.protocols.protocol import get_protocol
from nasbench.spaces import get_space
from nasbench.store.format.rows import measurement_row
from nasbench.store.query import Results
from nasbench.structures import Scale

SPACE = get_space("nasbench201")
CELLS = [SPACE.decode(choices) for choices in ([3, 3, 3, 3, 3, 3], [2, 1, 1, 1, 1, 2])]
SCALE = Scale(cells=1, filters=4, image_size=8, image_channels=1, classes=3)


def test_rows_fit_the_schema_and_name_their_conditions() -> None:
    settings = [Setting(batch=1), Setting(batch=3)]
    rows = measure_latency(CELLS, SCALE, settings, protocol="p", data="d", repetitions=4, warm_up=1)
    assert [measurement_row(row) for row in rows] == rows
    assert [(row["hash"], row["batch"]) for row in rows] == [(cell.hash, n) for n in (1, 3) for cell in CELLS]
    row = rows[0]
    assert (row["quantity"], row["unit"], row["direction"], row["n"]) == ("latency", "s", "lower", 4)
    assert (row["method"], row["threads"], row["input"]) == ("eager", 1, "1x8x8")
    assert (row["protocol"], row["data"], row["seed"]) == ("p", "d", -1)
    assert json.loads(row["scale"])["filters"] == 4
    assert row["software"] == f"torch {torch.__version__}"
    details = json.loads(row["details"])
    assert details["interleaved_with"] == 3
    assert 0 < details["minimum"] <= row["low"] <= row["value"] <= row["high"]
    assert SPACE.decode(json.loads(row["choices"])) == CELLS[0]


def test_functions_of_all_settings_are_timed_in_common_rounds() -> None:
    called: list[tuple[str, int]] = []

    def make(architecture, _, setting):
        return lambda: called.append((architecture.hash, setting.batch))

    measure_latency(CELLS, SCALE, [Setting(batch=1), Setting(batch=2)], repetitions=5, warm_up=0, make=make)
    rounds = [called[start : start + 8] for start in range(0, 40, 8)]
    assert all(len(set(each)) == 4 for each in rounds)


def test_threads_are_set_for_the_measurement_only() -> None:
    before, seen = torch.get_num_threads(), []

    def make(*_):
        return lambda: seen.append(torch.get_num_threads())

    measure_latency(CELLS[:1], SCALE, [Setting(threads=2), Setting(threads=1)], repetitions=1, warm_up=0, make=make)
    assert seen == [2, 2, 1, 1]
    assert torch.get_num_threads() == before


def test_the_network_is_that_of_the_space_with_normalized_activations() -> None:
    state = torch.get_rng_state()
    network = build_network(CELLS[0], SCALE, torch.device("cpu"))
    assert torch.equal(torch.get_rng_state(), state)
    assert not network.training
    assert sum(weight.numel() for weight in network.parameters()) == SPACE.count(CELLS[0], SCALE).params
    again = build_network(CELLS[0], SCALE, torch.device("cpu"))
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(network(images), again(images))
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all(float(norm.running_mean.abs().max()) > 0 for norm in norms)
    assert {norm.momentum for norm in norms} == {0.1}


@pytest.mark.parametrize(
    "space", ["nas:layers=2", "nasnet:blocks=1", "enas-macro:layers=3", "nasbench101", "nasbench201"]
)
def test_every_space_can_be_measured(space: str) -> None:
    import numpy as np

    architecture = get_space(space).random(np.random.default_rng(0))
    (row,) = measure_latency([architecture], SCALE, [Setting(batch=2)], repetitions=2, warm_up=0)
    assert row["value"] > 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize("method", ["eager", "onnxruntime", pytest.param("compile", marks=pytest.mark.slow)])
@pytest.mark.parametrize("batch", [1, 3])
def test_every_method_computes_what_the_network_computes(method, batch: int) -> None:
    if method == "onnxruntime":
        require_onnx_export()
    place = torch.device("cpu")
    torch.manual_seed(7)
    found = runner(CELLS[1], SCALE, Setting(method=method, batch=batch))()
    torch.manual_seed(7)
    network = build_network(CELLS[1], SCALE, place)
    with torch.no_grad():
        expected = network(runners._images(SCALE, batch, place))
    found = torch.as_tensor(found[0]) if isinstance(found, list) else found
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (Setting(method="fast"), "unknown method 'fast' of a latency; allowed: eager, compile, onnxruntime"),  # type: ignore[arg-type]
        (Setting(batch=0), "batch and threads of a latency are 1 or more, got 0 and 1"),
        (Setting(device="cuda:7"), "cuda"),
    ],
)
def test_settings_that_cannot_run_are_refused(setting: Setting, message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure_latency(CELLS, SCALE, [setting])


def test_without_a_compiler_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(InputError, match=r"needs a C\+\+ compiler, and there is none: install g\+\+"):
        Setting(method="compile").check()


def test_more_threads_than_processors_are_refused_before_anything_is_measured() -> None:
    Setting(threads=1).require_processors()
    with pytest.raises(InputError, match="a latency with 99999 threads needs as many processors; this machine has"):
        latency(CELLS[:1], threads=99_999)
    done = nasbench("latency", "nasnet-a", "--threads", "99999")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "needs as many processors" in done.err


def test_an_architecture_is_measured_once() -> None:
    with pytest.raises(InputError, match="measured once"):
        measure_latency([CELLS[0], CELLS[0]], SCALE, [Setting()])


def test_too_little_memory_is_explained() -> None:
    def make(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(InputError, match="does not suffice for 2 networks and their batches at once: measure fewer"):
        measure_latency(CELLS, SCALE, [Setting()], make=make)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "r.h5"
    search(tiny_plan(space="nasbench201", budget="4 children", final="none"), path)
    return path


@pytest.mark.slow
def test_the_command_stores_measurements_beside_the_children(results: Path) -> None:
    done = nasbench("latency", str(results), "-r", "2", "--batch", "1", "--batch", "2")
    assert done.code == 0, done.err
    with Results(results) as opened:
        frame, found = opened.frame(), opened.measurements()
    assert set(found["hash"]) == set(frame["hash"])
    assert found["batch"].tolist() == [1] * frame["hash"].nunique() + [2] * frame["hash"].nunique()
    assert f"{len(found)} measurements added to {results}" in done.out
    assert nasbench("check", str(results)).code == 0


def test_the_best_children_are_chosen_and_another_file_is_written(results: Path, tmp_path: Path) -> None:
    before = results.read_bytes()
    other = tmp_path / "latencies.h5"
    done = nasbench("latency", str(results), "--top", "2", "-r", "2", "-o", str(other))
    assert done.code == 0, done.err
    assert results.read_bytes() == before
    with Results(results) as opened:
        scores = opened.frame().groupby("hash")["val_acc"].mean()
    with Results(other) as opened:
        chosen = opened.measurements()["hash"]
    assert chosen.nunique() == 2
    assert sorted(scores[chosen]) == sorted(scores.nlargest(2))  # children may tie


def test_a_condition_chooses_children(results: Path, tmp_path: Path) -> None:
    with Results(results) as opened:
        wanted = opened.frame()["hash"].iloc[0]
    other = tmp_path / "latencies.h5"
    done = nasbench("latency", str(results), "--where", f"hash == '{wanted}'", "-r", "1", "-o", str(other))
    assert done.code == 0, done.err
    with Results(other) as opened:
        assert opened.measurements()["hash"].tolist() == [wanted]


def test_names_json_and_hashes_are_only_printed_unless_a_file_is_named(results: Path, tmp_path: Path) -> None:
    with Results(results) as opened:
        row = opened.frame().iloc[0]
    before = results.read_bytes()
    done = nasbench("latency", row["hash"][:10], str(results), "-r", "1")
    assert done.code == 0, done.err
    assert row["hash"][:12] in done.out
    assert results.read_bytes() == before
    words = ("--protocol", "digits", "--set", "filters=4", "-r", "1", "-o", str(tmp_path / "o.h5"))
    done = nasbench("latency", CELLS[0].to_json(), "nasnet-a", *words)
    assert done.code == 0, done.err
    with Results(tmp_path / "o.h5") as opened:
        found = opened.measurements()
    assert found["space"].tolist()[0] == "nasbench201"
    assert json.loads(found["scale"][0])["filters"] == get_protocol("digits", {"filters": 4}).filters
    assert set(found["protocol"]) == {"digits+"}


def test_wrong_calls_are_one_line(results: Path) -> None:
    for words, message in (
        (["nasnet-a", "--top", "3"], "--where and --top choose children of results files"),
        ([str(results), "--score", "beauty"], "beauty"),
        (["no-such-name"], "unknown architecture"),
        ([str(results), "--method", "magic"], "magic"),
        ([str(results), "--where", "hash == 'x'"], "no children match"),
    ):
        done = nasbench("latency", *words)
        assert done.code == 2, words
        assert message in done.err
        assert len(done.err.strip().splitlines()) == 1
