"""An operation without a deterministic implementation: the child is trained, and its row says so."""

from __future__ import annotations

import contextlib
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import nasbench.training.evaluate
import nasbench.training.loop
from nasbench.protocols.protocol import Protocol
from nasbench.spaces import SPACES, get_space
from nasbench.training.determinism import NOTE, Nondeterminism, collected, operation_in, operations_in
from nasbench.training.evaluate import evaluate
from nasbench.training.evaluation import Child
from nasbench.training.loop import reproducible

CPU = torch.device("cpu")


def put() -> torch.Tensor:
    """The plainest operation that has no deterministic implementation on the CPU."""
    return torch.zeros(3).put_(torch.tensor([1]), torch.tensor([2.0]))


def test_a_child_with_such_an_operation_is_ok_and_says_which(child) -> None:
    plain, result = evaluate(child("fine")), evaluate(child("unrepeatable"))
    assert result.status == "ok"
    assert result.error == f"{NOTE}put_"
    assert result.curves["val_loss"] == plain.curves["val_loss"]  # the operation itself is the identity
    assert plain.error == ""


def test_other_children_of_the_process_are_not_noted(child) -> None:
    evaluate(child("unrepeatable"))
    assert evaluate(child("fine")).error == ""


def test_the_note_stays_beside_an_error_and_beside_the_note_of_a_graph(child, monkeypatch) -> None:
    def diverge(*arguments: object) -> None:
        put()
        raise nasbench.training.loop.Diverged("training loss is nan in step 1 of 9")

    monkeypatch.setattr(nasbench.training.evaluate, "train", diverge)
    result = evaluate(child("fine"))
    assert (result.status, result.error) == ("diverged", f"training loss is nan in step 1 of 9; {NOTE}put_")
    assert operations_in(result.error) == operations_in(f"{NOTE}put_; more") == "put_"
    assert operations_in("trained without a CUDA graph: no memory") == operations_in("") == ""


def test_where_nobody_listens_it_is_one_warning() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with reproducible(CPU, 1):
            put()
            put()
    assert [(one.category, Path(one.filename).name) for one in said] == [(RuntimeWarning, Path(__file__).name)]
    assert str(said[0].message).startswith("not deterministic here: put_; results differ")


def test_nothing_is_said_of_deterministic_work_and_other_warnings_are_shown() -> None:
    heard = Nondeterminism()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with reproducible(CPU, 1, heard=heard):
            torch.zeros(3).index_add_(0, torch.tensor([1]), torch.ones(1))
            warnings.warn("something else", stacklevel=1)
    assert [str(one.message) for one in said] == ["something else"]
    assert heard.note == ""


def test_settings_come_back() -> None:
    before = warnings.showwarning, list(warnings.filters), torch.get_deterministic_debug_mode()
    with reproducible(CPU, 1, heard=Nondeterminism()):
        assert torch.get_deterministic_debug_mode() == 1
    assert (warnings.showwarning, list(warnings.filters), torch.get_deterministic_debug_mode()) == before


def test_warnings_turned_into_errors_do_not_fail_a_child(child) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluate(child("unrepeatable")).status == "ok"


def test_threads_hear_their_own_operations() -> None:
    """A suite runs searches in threads, and strategies score networks in them."""
    heard, entered, done = [Nondeterminism(), Nondeterminism()], threading.Barrier(2), threading.Barrier(2)
    before = warnings.showwarning

    def work(number: int) -> None:
        with collected(heard[number]):
            entered.wait()
            if number:
                warnings.warn("x does not have a deterministic implementation", UserWarning, stacklevel=1)
            done.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.operations for each in heard] == [(), ("x",)]
    assert warnings.showwarning is before


def test_what_torch_says_is_understood() -> None:
    said = (
        "max_pool3d_with_indices_backward_cuda does not have a deterministic implementation, but you set 'torch.use_..."
    )
    assert operation_in(said) == "max_pool3d_with_indices_backward_cuda"
    said = (
        "Deterministic behavior was enabled with either `torch.use_deterministic_algorithms(True)` or ..., but this operation is not "
        "deterministic because it uses CuBLAS and you have CUDA >= 10.2. To enable deterministic behavior in this case, ..."
    )
    assert operation_in(said) == "CuBLAS by CUBLAS_WORKSPACE_CONFIG"
    assert operation_in("lr_scheduler.step() before optimizer.step()") == ""


def test_a_long_note_is_cut() -> None:
    heard = Nondeterminism()
    for number in range(40):
        heard.add(f"operation_number_{number}")
    assert len(heard.note) <= 200
    assert heard.note.endswith(" ...")


@pytest.mark.sampled(4)
@pytest.mark.parametrize("spec", sorted(SPACES))
def test_no_space_of_ours_has_such_an_operation_on_the_cpu(spec: str) -> None:
    protocol = Protocol(data="fake:images=40,size=8,classes=3", epochs=1, batch_size=16, filters=4, cells=1)
    space = get_space(spec)
    result = evaluate(Child(space.random(np.random.default_rng(0)), protocol, 0))
    assert (result.status, result.error) == ("ok", "")


def test_on_cuda_convolutions_are_those_of_cudnn(monkeypatch) -> None:
    """`torch.backends.cudnn.flags` switches cuDNN off where it is not asked to leave it on."""
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: contextlib.nullcontext())
    before = torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32
    with reproducible(torch.device("cuda:0"), 1, heard=Nondeterminism()):
        settings = torch.backends.cudnn
        assert settings.enabled
        assert settings.deterministic
        assert not settings.benchmark
        assert not settings.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    assert (torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32) == before


def test_on_cuda_the_first_child_of_a_process_starts_cuda_itself(child, monkeypatch) -> None:
    """Statistics of memory can be reset only once CUDA has started: "Invalid device argument 0: did you call init?"."""
    calls: list[str] = []

    def reset(device: torch.device) -> None:
        assert calls == ["self-test", "init"], "Invalid device argument 0: did you call init?"
        raise StopIteration

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(nasbench.training.evaluate, "require_working", lambda device: calls.append("self-test"))
    monkeypatch.setattr(torch.cuda, "init", lambda: calls.append("init"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset)
    with pytest.raises(StopIteration):
        evaluate(child(), "cuda")
