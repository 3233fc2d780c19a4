"""Program that measures properties of torch on this machine: `python -m nasbench.doctor.probe`.

It runs in a separate process, because oneDNN reports what it uses only if its environment variable was set at the
start, and because a torch that does not fit the processor ends its process. It prints oneDNN's output first, and `MARK`
with a JSON object last.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nasbench.doctor.processes import last_words
from nasbench.errors import NasbenchError

if TYPE_CHECKING:
    import torch

MARK: Final = "nasbench-doctor: "
SECONDS: Final = 180.0  # after which the process is considered to hang
_REPEATS: Final = 5
_CORENAMES: Final = tuple(
    f"{prefix}openblas_get_corename{suffix}" for prefix in ("scipy_", "") for suffix in ("64_", "")
)


class ProbeError(NasbenchError):
    """Raised when the process of a probe dies or hangs; the message has the last line of its standard error."""


@dataclass(frozen=True)
class TorchFacts:
    """Properties of torch on this machine.

    Args:
        version: version of torch.
        cuda: version of CUDA that torch was built for; "" for a CPU build.
        onednn: version of oneDNN in torch; "" for a build without it.
        mkl: version of MKL in torch; "" for a build without it.
        capability: instruction set of torch's own kernels, e.g. "AVX512".
        predicted_isa: instruction set of oneDNN by `nasbench.kernels.processor`, which rows store, e.g. "avx2".
        isa: oneDNN's description of its instruction set, e.g. "Intel AVX2"; "" if it reports none.
        platform: platform of a row that is trained on this machine with fast kernels.
        numpy_error: why tensors and arrays cannot share memory; "" if they can.
        bfloat16_time: seconds of a training step in bfloat16, divided by those in float32.
        numpy_kernels: processor for which numpy's OpenBLAS chose its kernels, e.g. "Haswell"; "" if unknown.
        numpy_gflops: speed of numpy's product of float64 matrices on one thread, in 1e9 operations per second.
        torch_gflops: speed of torch's product of the same matrices.
        keeps_memory: True if the C library's allocator keeps freed memory, see `nasbench.training.allocator`.
    """

    version: str
    cuda: str
    onednn: str
    mkl: str
    capability: str
    predicted_isa: str
    isa: str
    platform: str
    numpy_error: str
    bfloat16_time: float
    numpy_kernels: str
    numpy_gflops: float
    torch_gflops: float
    keeps_memory: bool


def torch_facts(environment: Mapping[str, str] | None = None) -> TorchFacts:
    """Measure the properties of torch in a separate process, which takes some seconds.

    Args:
        environment: environment variables of the process; None for this process's.

    Returns:
        The properties.

    Raises:
        ProbeError: when the process dies or takes more than 180 seconds.
    """
    single = {"ONEDNN_VERBOSE": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "nasbench.doctor.probe"],
            env={**(os.environ if environment is None else environment), **single},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProbeError(
            f"a process that imports torch and computes a little did not end within {SECONDS:.0f} s"
        ) from None
    facts = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if facts is None:
        raise ProbeError(f"a process that imports torch and computes a little died: {last_words(done)}")
    isa = re.search(r"^onednn_verbose,.*cpu,isa:(.*)$", done.stdout, re.MULTILINE)
    return TorchFacts(**json.loads(facts.removeprefix(MARK)), isa=isa[1].strip() if isa else "")


def main() -> None:
    """Measure the properties of torch and print them."""
    import torch

    from nasbench.kernels.platform import platform_here
    from nasbench.kernels.processor import onednn_isa_here
    from nasbench.training.allocator import keep_freed_memory

    torch.set_num_threads(1)
    numpy_error = _numpy_error()
    _convolve_loudly()
    config = torch.__config__.show()
    numpy_gflops, torch_gflops = (0.0, 0.0) if numpy_error else _matrix_products()
    facts = {
        "version": torch.__version__,
        "cuda": torch.version.cuda or "",
        "onednn": _version(r"(?:oneDNN|MKL-DNN) v([\d.]+)", config),
        "mkl": _version(r"Math Kernel Library Version ([\d.]+)", config),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "predicted_isa": onednn_isa_here(),
        "platform": platform_here(),
        "numpy_error": numpy_error,
        "bfloat16_time": _bfloat16_time(),
        "numpy_kernels": numpy_kernels(),
        "numpy_gflops": numpy_gflops,
        "torch_gflops": torch_gflops,
        "keeps_memory": keep_freed_memory(),
    }
    assert {*facts, "isa"} == {field.name for field in dataclasses.fields(TorchFacts)}
    print(f"\n{MARK}{json.dumps(facts)}", flush=True)


def _version(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


def _numpy_error() -> str:
    import torch

    try:
        torch.ones(2).numpy()
    except RuntimeError as error:
        return " ".join(str(error).split())[:200]
    return ""


def _convolve_loudly() -> None:
    """Run one convolution with oneDNN's verbose output, which is then switched off because it takes time."""
    import torch

    torch.nn.functional.conv2d(torch.ones(4, 16, 16, 16), torch.ones(16, 16, 3, 3))
    if torch._C._has_mkldnn:
        torch._C._verbose.mkldnn_set_verbose(0)
    ctypes.CDLL(None).fflush(None)


def _bfloat16_time() -> float:
    """Return the time of a training step of two convolutions on 16x16 maps in bfloat16, divided by that in float32."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    images = torch.randn(32, 32, 16, 16).contiguous(memory_format=torch.channels_last)
    network = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1))
    network = network.to(memory_format=torch.channels_last)

    def step(precision: torch.dtype) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
            output: torch.Tensor = network(images)
        output.float().square().mean().backward()  # type: ignore[no-untyped-call]

    float32, bfloat16 = _best(lambda: step(torch.float32), lambda: step(torch.bfloat16))
    return bfloat16 / float32


def _matrix_products() -> tuple[float, float]:
    """Return the speed of float64 512 x 512 matrix products in numpy and in torch, in 1e9 operations per second."""
    import numpy as np
    import torch

    side = 512
    matrix = np.random.default_rng(0).standard_normal((side, side))
    tensor = torch.from_numpy(matrix)
    first, second = _best(lambda: matrix @ matrix, lambda: tensor @ tensor)
    return 2 * side**3 / first / 1e9, 2 * side**3 / second / 1e9


def _best(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Return the shortest seconds of each; they are run in turn, so a busy machine slows down both."""
    best = [float("inf"), float("inf")]
    first(), second()  # libraries initialize themselves
    for _ in range(_REPEATS):
        for place, work in enumerate((first, second)):
            start = time.perf_counter()
            work()
            best[place] = min(best[place], time.perf_counter() - start)
    return best[0], best[1]


def numpy_kernels() -> str:
    """Return the processor for which numpy's OpenBLAS chose its kernels; "" if numpy uses none, or it is unknown."""
    try:
        maps = Path("/proc/self/maps").read_text(errors="replace")
    except OSError:
        return ""
    paths = sorted({line.split(maxsplit=5)[5] for line in maps.splitlines() if "openblas" in line and "/" in line})
    for path in sorted(paths, key=lambda one: "numpy" not in one):
        library = ctypes.CDLL(path)
        for name in _CORENAMES:
            if hasattr(library, name):
                ask = getattr(library, name)
                ask.restype = ctypes.c_char_p
                return str(ask().decode())
    return ""


if __name__ == "__main__":
    main()
