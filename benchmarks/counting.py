"""Counts in closed form against building the network and tracing it, in one run; equality with FlopCounterMode is asserted.

OMP_NUM_THREADS=1 python benchmarks/counting.py

All times are of the processor. What is not installed is left out, and said so.
"""

from __future__ import annotations

import gc
import importlib.util
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from record import Measurement, keep
from torch.utils.flop_counter import FlopCounterMode

from nasbench.networks.base import Network
from nasbench.spaces import Architecture, get_space
from nasbench.spaces.nasbench201 import NasBench201Space
from nasbench.structures import Counts, Scale

Counter = Callable[[Network, torch.Tensor], Counts]
SCALES = {"nasbench201": Scale(cells=5, filters=16), "nasnet:blocks=5": Scale(cells=2, filters=32)}
COUNTED, TRACED = 2000, 6
UNIT = "processor us an architecture"


def by_torch(network: Network, image: torch.Tensor) -> Counts:
    """Two operations of FlopCounterMode are one multiply-add."""
    mode = FlopCounterMode(display=False)
    with mode:
        network(image)
    return Counts(_params(network), mode.get_total_flops() // 2)


def by_fvcore(network: Network, image: torch.Tensor) -> Counts:
    """Its operations are multiply-adds, those of BatchNorm and pooling included."""
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(network, image).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return Counts(_params(network), int(analysis.total()))


def by_thop(network: Network, image: torch.Tensor) -> Counts:
    """Multiply-adds by its rules for modules."""
    from thop import profile

    mult_adds, params = profile(network, (image,), verbose=False)
    return Counts(int(params), int(mult_adds))


def _params(network: Network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def counters() -> dict[str, Counter]:
    """What is installed here."""
    found: dict[str, Counter] = {"building + FlopCounterMode": by_torch}
    for package, counter in (("fvcore", by_fvcore), ("thop", by_thop)):
        if importlib.util.find_spec(package) is None:
            print(f"{package} is not installed: pip install -r benchmarks/requirements.txt")
        else:
            found[f"building + {package}"] = counter
    return found


def closed_form(architectures: Sequence[Architecture], scale: Scale) -> tuple[list[Counts], float]:
    """Counts of the architectures after the first tenth, and microseconds each; none was counted before, so no cache helps."""
    warm_up = len(architectures) // 10
    for architecture in architectures[:warm_up]:
        architecture.space.count(architecture, scale)
    began = time.process_time()
    counts = [architecture.space.count(architecture, scale) for architecture in architectures[warm_up:]]
    return counts, 1e6 * (time.process_time() - began) / len(counts)


def traced(counter: Counter, architectures: Sequence[Architecture], scale: Scale) -> tuple[list[Counts], float]:
    """The same by building and tracing, after one that is not counted."""
    image = torch.zeros(1, scale.image_channels, scale.image_size, scale.image_size)
    counts, times = [], []
    for architecture in (architectures[0], *architectures):
        began = time.process_time()
        with torch.no_grad():
            counts.append(counter(architecture.space.build(architecture, scale).eval(), image))
        times.append(1e6 * (time.process_time() - began))
        gc.collect()
    return counts[1:], float(min(np.median(times[1:]), np.mean(times[1:])))


def compare(spec: str) -> list[Measurement]:
    """The closed form of one space against all counters."""
    space, scale, rng = get_space(spec), SCALES[spec], np.random.default_rng(0)
    architectures = list(dict.fromkeys(space.random(rng) for _ in range(COUNTED)))
    counts, ours = closed_form(architectures, scale)
    sample = architectures[-TRACED:]
    rows = []
    for name, counter in counters().items():
        found, theirs = traced(counter, sample, scale)
        note = _agreement(name, found, counts[-TRACED:])
        rows.append(Measurement(f"counts of {spec}", theirs / ours, name, ours, theirs, UNIT, note))
    return rows


def _agreement(name: str, found: Sequence[Counts], ours: Sequence[Counts]) -> str:
    if "FlopCounterMode" in name:
        assert list(found) == list(ours), f"{name} counts {found}, the closed form {ours}"
        return "all equal"
    apart = max(abs(theirs.mult_adds / mine.mult_adds - 1) for theirs, mine in zip(found, ours))
    why = "; it knows convolutions by their exact class, ours are subclasses" if "thop" in name else ""
    return f"their multiply-adds differ by up to {apart:.1%}{why}"


def all_at_once(theirs: float) -> Measurement:
    """`count_all` of NAS-Bench-201 for one cell, against what one cell took by building and tracing."""
    space, scale = NasBench201Space(), SCALES["nasbench201"]
    counts = space.count_all(scale)
    began = time.process_time()
    for _ in range(20):
        counts = space.count_all(scale)
    ours = 1e6 * (time.process_time() - began) / 20 / space.size
    alone = [space.count(architecture, scale) for architecture in space.enumerate()]
    assert np.array_equal(np.stack(counts, axis=1), np.array(alone)), "count_all differs from count"
    note = "all 15,625 equal to the closed form of each"
    return Measurement(
        "counts of all of nasbench201 at once", theirs / ours, "building + FlopCounterMode", ours, theirs, UNIT, note
    )


def main() -> None:
    """Measure and record."""
    torch.set_num_threads(1)
    rows = [row for spec in SCALES for row in compare(spec)]
    keep([*rows, all_at_once(rows[0].theirs)])


if __name__ == "__main__":
    main()
