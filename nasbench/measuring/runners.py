"""Networks made ready to run on a device by a method: torch's eager mode, torch.compile or onnxruntime."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, get_args

import torch
from torch import Tensor, nn

from nasbench.errors import InputError, MissingExtra
from nasbench.exporter_output import quiet_exporters
from nasbench.kernels.processor import processor_here
from nasbench.spaces import Architecture
from nasbench.structures import Scale
from nasbench.training.evaluate import device_name, resolve_device

Method = Literal["eager", "compile", "onnxruntime"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

_CALIBRATION: Final = 16  # images from which BatchNorm takes its statistics


@dataclass(frozen=True)
class Setting:
    """How networks run when they are measured.

    Args:
        device: "cpu", "cuda" or "cuda:INDEX".
        method: "eager", "compile" (torch.compile) or "onnxruntime".
        batch: images per call, >= 1.
        threads: CPU threads of one call, >= 1.
    """

    device: str = "cpu"
    method: Method = "eager"
    batch: int = 1
    threads: int = 1

    def require_processors(self) -> None:
        """Refuse more threads than this machine has processors: they wait for one another, and nothing else is timed.

        Raises:
            InputError: when there are more.
        """
        there = os.cpu_count() or 1
        if self.threads > there:
            raise InputError(
                f"a latency with {self.threads} threads needs as many processors; this machine has {there}"
            )

    def check(self) -> None:
        """Refuse a setting that cannot run here.

        Raises:
            InputError: when a number is out of range, the device is not there, the method does not exist, does not
                work on the device, or needs a compiler that is not installed.
            MissingExtra: when onnxruntime, onnx or onnxscript is not installed.
        """
        if self.method not in METHODS:
            raise InputError(f"unknown method {self.method!r} of a latency; allowed: {', '.join(METHODS)}")
        if self.batch < 1 or self.threads < 1:
            raise InputError(f"batch and threads of a latency are 1 or more, got {self.batch} and {self.threads}")
        place = resolve_device(self.device)
        if self.method == "onnxruntime":
            if place.type != "cpu":
                raise InputError(f"onnxruntime is measured on the CPU only, got device {self.device!r}; use eager")
            _require_onnx()
        if self.method == "compile" and place.type == "cpu" and compiler() is None:
            raise InputError(
                "torch.compile needs a C++ compiler, and there is none: install g++ or clang++ (Debian: apt install "
                "g++), or set CXX to one, or measure with --method eager"
            )

    @property
    def device_name(self) -> str:
        """Name of the processor or GPU."""
        place = resolve_device(self.device)
        processor = processor_here()
        return device_name(place) if place.type == "cuda" else processor.name or str(processor)

    @property
    def software(self) -> str:
        """Libraries that run the network, with their versions."""
        names = [f"torch {torch.__version__}"]
        if self.method == "onnxruntime":
            import onnxruntime

            names.append(f"onnxruntime {onnxruntime.__version__}")
        return "; ".join(names)


def compiler() -> str | None:
    """Find the C++ compiler that torch.compile would use.

    Returns:
        Its path; None without one.
    """
    names = filter(None, (os.environ.get("CXX"), "g++", "clang++", "c++"))
    return next((found for name in names if (found := shutil.which(name))), None)


def build_network(architecture: Architecture, scale: Scale, place: torch.device, seed: int = 0) -> nn.Module:
    """Build a network as it is after a training, except for the values of its weights: in evaluation mode.

    BatchNorm takes its statistics from one batch of random images. With the initial ones, numbers of deep networks
    shrink until processors compute them more slowly than usual ones.

    Args:
        architecture: the architecture.
        scale: size of the network and of its images.
        place: device of the network.
        seed: seed of the weights.

    Returns:
        The network.
    """
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(seed)
        network = architecture.space.build(architecture, scale).to(place)
        images = _images(scale, _CALIBRATION, place)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(images)
    for norm, momentum in zip(norms, usual):
        norm.momentum = momentum
    return network.eval()


def _images(scale: Scale, count: int, place: torch.device) -> Tensor:
    return torch.randn(count, scale.image_channels, scale.image_size, scale.image_size, device=place)


def runner(architecture: Architecture, scale: Scale, setting: Setting) -> Callable[[], object]:
    """Make a function that runs a network once on one batch of random images.

    Args:
        architecture: the architecture.
        scale: size of the network and of its images.
        setting: device, method, batch and threads.

    Returns:
        The function; it returns when the result is there. The method has done its work: compilation and export are
        not part of a call.

    Raises:
        InputError: when the network cannot be built at this scale, or compiled or exported.
    """
    place = resolve_device(setting.device)
    network = build_network(architecture, scale, place)
    images = _images(scale, setting.batch, place)
    if setting.method == "onnxruntime":
        return _in_onnxruntime(network, images, setting.threads)
    module = _compiled(network, images) if setting.method == "compile" else network
    if place.type == "cuda":

        def run_and_wait() -> object:
            with torch.inference_mode():
                result = module(images)
            torch.cuda.synchronize(place)
            return result

        return run_and_wait

    def run() -> object:
        with torch.inference_mode():
            return module(images)

    return run


def _compiled(network: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor]:
    # Compiled modules of one class share torch.compile's table of versions, which is limited and searched at each call.
    # An exported network has code of its own.
    try:
        with torch.no_grad(), quiet_exporters():
            exported = torch.export.export(network, (images,)).module()
            module: Callable[[Tensor], Tensor] = torch.compile(exported, fullgraph=True, dynamic=False)
        with torch.inference_mode(), quiet_exporters():
            module(images)  # compiles
    except Exception as error:  # each part of the compiler has its own exceptions
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"torch.compile fails here: {reason[:200]}; measure with --method eager") from error
    return module


def _in_onnxruntime(network: nn.Module, images: Tensor, threads: int) -> Callable[[], object]:
    _require_onnx()
    import onnxruntime

    with torch.no_grad(), quiet_exporters():
        program = torch.onnx.export(network, (images,), dynamo=True, input_names=["images"], verbose=False)
    assert program is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(
        program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    given = {"images": images.numpy()}
    return lambda: session.run(None, given)


def _require_onnx() -> None:
    from importlib.util import find_spec

    for package in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(package) is None:
            raise MissingExtra(package, "onnx")


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch compute with a number of threads in the block.

    Args:
        count: number of threads, >= 1.

    Yields:
        Nothing.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
