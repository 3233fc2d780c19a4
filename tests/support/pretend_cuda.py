"""CUDA without a device: every operation is traced under torch's FakeTensorMode on tensors that say they are on "cuda:0".

Nothing is computed. Seen are a tensor left on the CPU, each time the host would wait for the device, outputs whose shape depends on values,
and the names of all operations, backward formulas included.

torch's autograd engine refuses fake CUDA tensors where there is no driver (torch 2.14: "hasPrimaryContext expects a valid device index"), so
torch's C++ code hears "meta" when it asks for such a tensor's device, and Python code "cuda:0". Where C++ code chooses by device (BatchNorm:
cuDNN or torch's own kernel), the trace has what it chooses for other devices.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import nasbench

CUDA = torch.device("cuda:0")
READ = 0.5  # what a value that the host reads is said to be
ROOTS = (str(Path(nasbench.__file__).parent), str(Path(nasbench.__file__).parent.parent / "runners"))


@dataclass(frozen=True)
class Wait:
    """Where the host waits for the device.

    Args:
        what: "tolist", "item", "equal", "copy to the CPU", "copy from the CPU" or "shape".
        where: file and line of the suite's code that asks for it.
        phase: what `Trace.phase` was.
    """

    what: str
    where: str
    phase: str


@dataclass
class Trace:
    """What was seen.

    Args:
        operations: names of all operations, e.g. "aten.convolution_backward.default".
        waits: each time that the host waits.
        mixed: operations that read a CPU scalar beside tensors on the device; a recorded graph would keep its first value.
        phase: set by a test to tell parts of the work apart.
    """

    operations: set[str] = field(default_factory=set)
    waits: list[Wait] = field(default_factory=list)
    mixed: set[str] = field(default_factory=set)
    phase: str = ""

    def wait(self, what: str) -> None:
        """Note one."""
        self.waits.append(Wait(what, _caller(), self.phase))


@contextmanager
def pretend_cuda() -> Iterator[Trace]:
    """Trace the block. Tensors made outside count as on the CPU; none made inside is of use afterwards."""
    trace = Trace()
    with ExitStack() as stack:
        stack.enter_context(patch.object(torch.utils, "swap_tensors", _swapped))
        stack.enter_context(patch.object(FakeTensor, "tolist", lambda tensor: _listed(tensor, trace)))
        stack.enter_context(patch("torch.cuda.amp.common.amp_definitely_not_available", lambda: False))
        stack.enter_context(patch.object(torch.cuda, "is_bf16_supported", lambda *_, **__: True))
        stack.enter_context(torch.autograd.set_multithreading_enabled(False))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        stack.enter_context(_Operations(trace))
        stack.enter_context(_Calls())
        yield trace


class _Calls(TorchFunctionMode):
    """Python's own questions, which FakeTensor leaves to C++: `tensor.is_cuda` and `tensor.is_cpu`."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func == Tensor.is_cuda.__get__:  # type: ignore[attr-defined]
            return args[0].device.type == "cuda"
        if func == Tensor.is_cpu.__get__:  # type: ignore[attr-defined]
            return args[0].device.type == "cpu"
        return func(*args, **(kwargs or {}))


class _Operations(TorchDispatchMode):
    """What is below Python and autograd."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        named = dict(kwargs or {})
        if func is torch.ops.prim.device.default:
            return torch.device("meta") if _on_device(args[0]) else func(*args)
        if getattr(named.get("device"), "type", None) == "meta":  # C++ code that passes on what it heard
            named["device"] = CUDA
        if torch.is_inference_mode_enabled():  # where no autograd has taken composite operations apart
            with self:
                result = func.decompose(*args, **named)
            if result is not NotImplemented:
                return result
        tensors = [leaf for leaf in tree_leaves((args, named)) if isinstance(leaf, Tensor)]
        from_device = any(_on_device(tensor) for tensor in tensors)
        if from_device:
            self._trace.operations.add(str(func))
            if not all(map(_on_device, tensors)) and not _moves(func):
                self._trace.mixed.add(f"{func} at {_caller()}")
        if func is torch.ops.aten._local_scalar_dense.default:
            if from_device:
                self._trace.wait("item")
            return READ if tensors[0].dtype.is_floating_point else int(READ)
        if func is torch.ops.aten.equal.default:
            if from_device:
                self._trace.wait("equal")
            return True
        if func is torch.ops.aten._fused_sgd_.default:
            _check_fused(*args[:3])  # it has no fake kernel; it changes its arguments and returns nothing
            return None
        try:
            result = func(*args, **named)
        except DynamicOutputShapeException:
            self._trace.wait("shape")
            raise
        if any(_on_device(leaf) for leaf in tree_leaves(result)):
            self._trace.operations.add(str(func))
        if _moves(func):
            self._moved(tensors, result)
        return result

    def _moved(self, tensors: list[Tensor], result: Tensor) -> None:
        there = {_on_device(tensor) for tensor in tensors}
        if there == {True} and not _on_device(result):
            self._trace.wait("copy to the CPU")
        elif False in there and _on_device(result) and tensors[-1].dim():
            self._trace.wait("copy from the CPU")


def _check_fused(*lists: list[Tensor]) -> None:
    """As torch's CUDA kernel, which takes no tensors of other devices, types, sizes or strides."""
    for group in zip(*(tensors for tensors in lists if tensors), strict=True):
        kinds = {(tensor.device, tensor.dtype, tensor.shape, _strides(tensor)) for tensor in group}
        if len(kinds) > 1 or not _on_device(group[0]):
            raise RuntimeError(f"_fused_sgd_ on CUDA: weight, gradient and velocity differ: {kinds}")


def _strides(tensor: Tensor) -> tuple[int, ...]:
    return tuple(stride for size, stride in zip(tensor.shape, tensor.stride()) if size > 1)


def _moves(func: Any) -> bool:
    return func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


def _on_device(value: object) -> bool:
    return isinstance(value, FakeTensor) and value.fake_device.type == "cuda"


def _listed(tensor: FakeTensor, trace: Trace) -> Any:
    """As `Tensor.tolist`: one wait for however many values."""
    if _on_device(tensor):
        trace.wait("tolist")
    return _filled(tuple(tensor.shape))


def _filled(shape: tuple[int, ...]) -> Any:
    return [_filled(shape[1:]) for _ in range(shape[0])] if shape else READ


def _swapped(first: Tensor, second: Tensor) -> None:
    """As `torch.utils.swap_tensors` for what `nn.Module.to` does; that one refuses fake tensors, which others refer to."""
    first.data = second.detach()
    if isinstance(first, FakeTensor) and isinstance(second, FakeTensor):
        first.fake_device = second.fake_device


def _caller() -> str:
    """The innermost line of the suite's code that is running."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(ROOTS):
            return f"{Path(name).name}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return "outside of the suite"
