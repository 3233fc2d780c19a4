"""What can be said of the executor ray without a cluster."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import pytest
from commands import nasbench
from searching import tiny_plan

from nasbench.data import Dataset, load_data, provide_data
from nasbench.errors import InputError, MissingExtra
from nasbench.runners.executors import ExecutorOptions, ray_head
from nasbench.runners.executors import ray_connection as connection
from nasbench.runners.executors.ray_cluster import GIB, RayExecutor, _fits, _resources
from nasbench.runners.executors.ray_tasks import Starts

RUN = ("run", "--space", "nasnet:blocks=1", "--strategy", "random", "--budget", "2 children")


@pytest.fixture
def no_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)


@pytest.fixture
def some_ray(monkeypatch):
    """As if the package were there; nothing of it is used."""
    monkeypatch.setattr("nasbench.runners.executors.ray_cluster.import_ray", lambda: None)


def test_the_extra_is_named(no_ray, tmp_path):
    with pytest.raises(MissingExtra, match=r"nasbench-suite\[ray\]"):
        connection.import_ray()
    done = nasbench(*RUN, "--executor", "ray", cwd=tmp_path)
    assert done.code == 2
    assert "pip install 'nasbench-suite[ray]'" in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--gpus-per-child", "0.25"), "--gpus-per-child is for a Ray cluster: add --executor ray"),
        (("--address", "auto"), "--address is for a Ray cluster"),
        (("--executor", "ray", "--gpus-per-child", "0.5"), "say which GPU to ask for, e.g. --accelerator A100"),
        (("--executor", "ray", "--gpus-per-child", "1.5", "--price", "1"), "a part of one GPU (up to 1) or whole ones"),
        (("--executor", "ray", "-k", "2"), "instead of --devices and --children-per-device"),
        (("--executor", "ray", "--cpus-per-child", "0"), "cpus_per_child"),
    ],
)
def test_bad_options_are_one_line(some_ray, words, expected, tmp_path):
    done = nasbench(*RUN, *words, cwd=tmp_path)
    assert done.code == 2
    assert expected in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("*.h5"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1"),
        ("somewhere", "neither auto, local nor HOST:PORT"),
        ("host:port", "neither auto, local nor HOST:PORT"),
    ],
)
def test_an_address_is_tried_before_ray_waits_for_it(address, expected):
    with pytest.raises(InputError, match=expected):
        connection._probe(address)


def test_what_a_run_is_does_not_depend_on_the_cluster(some_ray):
    plan = tiny_plan(executor="ray")
    for change in ({"address": "10.0.0.1:6379"}, {"children_at_once": 800}, {"memory_per_child": 4.0}, {"retries": 3}):
        assert tiny_plan(executor="ray", **change).run == plan.run
    priced = {"gpus_per_child": 0.25, "price": "1.0"}
    assert tiny_plan(executor="ray", **priced).run != plan.run  # a share of a GPU is charged otherwise
    assert tiny_plan(executor="ray", **priced).usd_per_hour == 1.0


def test_gpus_are_priced_by_the_type_asked_for(some_ray):
    plan = tiny_plan(executor="ray", gpus_per_child=1.0, accelerator="V100")
    assert (
        plan.usd_per_hour
        == tiny_plan(executor="ray", gpus_per_child=1.0, accelerator="Tesla V100-SXM2-16GB").usd_per_hour
    )
    assert plan.usd_per_hour > tiny_plan(executor="ray").usd_per_hour


@pytest.mark.parametrize(
    ("options", "node", "expected"),
    [
        ({}, {"CPU": 2.0, "memory": 8.0 * GIB}, 2),
        ({"cpus_per_child": 0.5}, {"CPU": 2.0}, 4),
        ({"gpus_per_child": 0.25}, {"CPU": 16.0, "GPU": 2.0}, 8),
        ({"gpus_per_child": 0.1, "cpus_per_child": 0.1}, {"CPU": 1.0, "GPU": 1.0}, 10),
        ({"gpus_per_child": 1.0}, {"CPU": 16.0}, 0),
        ({"memory_per_child": 3.0}, {"CPU": 16.0, "memory": 8.0 * GIB}, 2),
        ({"gpus_per_child": 1.0, "accelerator": "A100"}, {"CPU": 9.0, "GPU": 2.0, "accelerator_type:A100": 1.0}, 2),
        ({"gpus_per_child": 1.0, "accelerator": "A100"}, {"CPU": 9.0, "GPU": 2.0, "accelerator_type:V100": 1.0}, 0),
    ],
)
def test_how_many_children_a_node_holds(options, node, expected):
    assert _fits(node, _resources(ExecutorOptions(**options))) == expected


def test_starts_are_kept_until_the_child_has_ended():
    starts = Starts()
    for key in ("1/1", "1/2", "11/1"):
        starts.started(key)
    assert set(starts.running(["1/1", "1/2", "11/1", "2/1"])) == {"1/1", "1/2", "11/1"}
    assert all(seconds >= 0 for seconds in starts.running(["1/1", "11/1"]).values())
    starts.forget(1)
    assert set(starts.running(["1/1", "1/2", "11/1"])) == {"11/1"}


def test_a_data_set_in_memory_is_found_by_its_name(monkeypatch):
    monkeypatch.setattr("nasbench.data._provided", {})
    digits = load_data("digits")
    named = Dataset("ours", digits.classes, digits.train, digits.test, digits.digest)
    provide_data("folder:/nowhere", named)
    assert load_data("folder:/nowhere") is named
    assert load_data("digits") is digits


def test_options_of_the_executor_say_what_they_are():
    RayExecutor.check  # noqa: B018  (importable without the package)
    described = {name: field.description for name, field in ExecutorOptions.model_fields.items()}
    assert all(described.values())


def watch_of(port: int) -> ray_head.HeadWatch:
    context = SimpleNamespace(gcs_address=f"127.0.0.1:{port}")
    return ray_head.HeadWatch(SimpleNamespace(get_runtime_context=lambda: context))


def test_a_head_that_is_silent_for_a_while_is_waited_for_and_then_given_up(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(ray_head.time, "monotonic", lambda: clock.now)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        watch = watch_of(port)
        clock.now += 10
        assert watch.answers()
    clock.now += ray_head.LOOK_SECONDS / 2
    assert watch.answers()  # believed for a moment
    clock.now += ray_head.GONE_SECONDS - 1
    assert not watch.answers()
    with socket.create_server(("127.0.0.1", port)):
        clock.now += 1
        assert watch.answers()  # it came back
    clock.now += ray_head.GONE_SECONDS + 1
    with pytest.raises(ray_head.HeadGone, match=rf"127\.0\.0\.1:{port} has not answered for 31 s .* nasbench resume"):
        watch.answers()
    assert watch.gone
