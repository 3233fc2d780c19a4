"""Properties of torch on this machine, measured in a separate process: `python -m nasbench.doctor.probe`.

A process of its own, because oneDNN says what it uses only to those that ask before it starts, and because a torch that does not fit the
processor ends its process. Prints oneDNN's own words first, and `MARK` with a JSON object last.
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
SECONDS: Final = 180.0  # after which the process hangs
_REPEATS: Final = 5
_CORENAMES: Final = tuple(
    f"{prefix}openblas_get_corename{suffix}" for prefix in ("scipy_", "") for suffix in ("64_", "")
)


class ProbeError(NasbenchError):
    """The process in which torch was to be tried died; the message has its last words."""


@dataclass(frozen=True)
class TorchFacts:
    """Properties of torch on this machine.

    Args:
        version: of torch.
        cuda: version of CUDA that it was built with; "" for a build without.
        onednn: version of oneDNN in it; "" for a build without.
        mkl: version of MKL in it; "" for a build without.
        capability: instruction set of torch's own kernels, e.g. "AVX512".
        predicted_isa: instruction set of oneDNN by `nasbench.kernels.processor`, stored in rows, e.g. "avx2".
        isa: instruction set that oneDNN reports, e.g. "Intel AVX2"; "" if it reports none.
        platform: of a row that is trained here with fast kernels.
        numpy_error: why tensors and arrays cannot share memory; "" where they can.
        bfloat16_time: seconds of a training step in bfloat16 over those in float32.
        numpy_kernels: the processor for which numpy's OpenBLAS chose its kernels, e.g. "Haswell"; "" where it does not say.
        numpy_gflops: 10^9 operations a second of numpy's product of float64 matrices on one thread.
        torch_gflops: the same of torch.
        keeps_memory: True if the C library's allocator keeps freed memory for the next step, see `nasbench.training.allocator`.
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
    """Measure what torch is and does in a process of its own, in some seconds.

    Args:
        environment: of that process; None for this one's.

    Raises:
        ProbeError: when that process dies or hangs.
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
            f"a process that imports torch and computes a little was still going on after {SECONDS:.0f} s"
        ) from None
    facts = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if facts is None:
        raise ProbeError(f"a process that imports torch and computes a little died: {last_words(done)}")
    isa = re.search(r"^onednn_verbose,.*cpu,isa:(.*)$", done.stdout, re.MULTILINE)
    return TorchFacts(**json.loads(facts.removeprefix(MARK)), isa=isa[1].strip() if isa else "")


def main() -> None:
    """Measure, and print what was found."""
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
    """Run one convolution with oneDNN's verbose output, then turn the output off because it takes time."""
    import torch

    torch.nn.functional.conv2d(torch.ones(4, 16, 16, 16), torch.ones(16, 16, 3, 3))
    if torch._C._has_mkldnn:
        torch._C._verbose.mkldnn_set_verbose(0)
    ctypes.CDLL(None).fflush(None)


def _bfloat16_time() -> float:
    """Seconds of a training step of two convolutions on 16x16 maps in bfloat16 over those in float32, the best of some of each."""
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
    """Speed of float64 products of 512 x 512 matrices in numpy and in torch, 1e9 operations per second."""
    import numpy as np
    import torch

    side = 512
    matrix = np.random.default_rng(0).standard_normal((side, side))
    tensor = torch.from_numpy(matrix)
    first, second = _best(lambda: matrix @ matrix, lambda: tensor @ tensor)
    return 2 * side**3 / first / 1e9, 2 * side**3 / second / 1e9


def _best(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Shortest seconds of each, taken in turn so that a busy machine slows both."""
    best = [float("inf"), float("inf")]
    first(), second()  # libraries set themselves up
    for _ in range(_REPEATS):
        for place, work in enumerate((first, second)):
            start = time.perf_counter()
            work()
            best[place] = min(best[place], time.perf_counter() - start)
    return best[0], best[1]


def numpy_kernels() -> str:
    """The processor for which the OpenBLAS that numpy has loaded chose its kernels; "" where there is none or it does not say."""
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
