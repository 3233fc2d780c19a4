"""One GPU: images a second against the usual loop, share of its roofline, children a GPU-hour of 1, 2, 4 and 8 that share it, energy.

python benchmarks/gpu.py                          eight minutes on a CUDA device; without one: a line, and exit code 2
python benchmarks/gpu.py --short                  the first network alone, for `make test-gpu`; nothing is recorded
python benchmarks/gpu.py --device cpu --quick     the script tries itself on a processor; nothing is recorded

The usual loop is a DataLoader with worker processes, torchvision's transforms, contiguous float32, torch.optim.SGD and the loss read in
every step, with torch's own defaults. Ours is the training loop of `nasbench run`. Times are of the clock, with the device waited for.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from record import Measurement, keep
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from nasbench.costs.pricing import SECONDS_PER_HOUR
from nasbench.data import load_data
from nasbench.errors import InputError
from nasbench.networks.base import Network
from nasbench.protocols.protocol import Protocol, get_protocol
from nasbench.runners.executors import ExecutorOptions
from nasbench.runners.executors.local import LocalExecutor
from nasbench.spaces import Architecture, get_space
from nasbench.training.energy import EnergyMeter, counters_of
from nasbench.training.evaluate import device_name, place_images, resolve_device
from nasbench.training.evaluation import Child
from nasbench.training.loop import Seeds, reproducible, seed_device
from nasbench.training.optimizers import make_optimizer
from nasbench.training.steps import GRAPHS, make_step

FLOPS_OF_TRAINING = 6  # a multiply-add is two operations, and a training step does forward's work three times


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    data: str
    batch: int
    steps: int  # of a turn of a loop
    turns: int
    matrix: int  # side of the matrices whose product gives the peak
    copy: int  # bytes
    child_seconds: float  # that one child should take with the device for itself
    sharing: tuple[int, ...]
    workers: int


FULL = Size("fake:images=12000,size=32,classes=10", 128, 80, 3, 8192, 1 << 30, 6.0, (1, 2, 4, 8), 8)
SHORT = Size("fake:images=3000,size=32,classes=10", 128, 20, 2, 4096, 1 << 28, 2.0, (1, 4), 4)
QUICK = Size("fake:images=300,size=8,classes=3", 20, 4, 2, 256, 1 << 22, 0.3, (1, 2), 0)
NETWORKS = {
    "NASNet cells, N=2, F=32": ("nasnet:blocks=5", {"cells": 2, "filters": 32}),
    "NAS-Bench-201 cells, N=5, C=16": ("nasbench201", {"cells": 5, "filters": 16}),
    "plain stack of 15 layers": ("nas", {}),
}
SEED = 3  # of the architectures, drawn at random


class Clock:
    """Seconds, with everything on the device done."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def now(self) -> float:
        """Wait for the device and look at the clock."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def seconds(self, task: Callable[[], object], repeats: int = 5) -> float:
        """Median of some repeats, after one that does not count."""
        task()
        taken = []
        for _ in range(repeats):
            began = self.now()
            task()
            taken.append(self.now() - began)
        return statistics.median(taken)


@dataclass(frozen=True)
class Peaks:
    """What the device reaches on tasks that do nothing else: operations and bytes a second."""

    operations: dict[str, float]
    bytes_moved: float

    @staticmethod
    def of(device: torch.device, size: Size) -> Peaks:
        """Products of large square matrices in each precision; copies within the device, read and written bytes counted."""
        clock, operations = Clock(device), {}
        for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
            left = torch.randn(size.matrix, size.matrix, device=device).to(kind)
            right = torch.randn(size.matrix, size.matrix, device=device).to(kind)
            operations[name] = 2.0 * size.matrix**3 / clock.seconds(lambda a=left, b=right: a @ b)
        source = torch.zeros(size.copy, dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        return Peaks(operations, 2.0 * size.copy / clock.seconds(lambda: target.copy_(source)))


def protocol_of(size: Size, fields: dict[str, object], **more: object) -> Protocol:
    """Crops, flips and cut-outs on the device."""
    side = load_data(size.data).size
    base = {"data": size.data, "validation": 0.1, "batch_size": size.batch, "flip": True, "cutout": side // 4}
    return get_protocol("digits", {**base, "enlarge": "pad", "crop_from": side + side // 4, **fields, **more})


def architecture_of(space: str) -> Architecture:
    """Drawn at random, always the same."""
    found = get_space(space)
    return found.random(np.random.default_rng(SEED))


def network_of(architecture: Architecture, protocol: Protocol, device: torch.device) -> Network:
    """With fresh weights."""
    dataset = load_data(protocol.data)
    seed_device(device, 0)
    scale = protocol.scale(dataset.size, dataset.channels, len(dataset.classes))
    network = architecture.space.build(architecture, scale, protocol.regularization()).to(device)
    return network.to(memory_format=torch.channels_last) if protocol.channels_last else network


def repeated(batches: Callable[[], Iterator[tuple[Tensor, Tensor]]]) -> Iterator[tuple[Tensor, Tensor]]:
    """Epoch after epoch, for ever."""
    while True:
        yield from batches()


class OurLoop:
    """Images from the device's own memory, steps recorded or not; losses are read at the end of a turn."""

    def __init__(self, architecture: Architecture, protocol: Protocol, device: torch.device, graphs: bool) -> None:
        self._protocol, self._device = protocol, device
        self._images = place_images(protocol, device).train
        self._network = network_of(architecture, protocol, device).train()
        optimizer = make_optimizer(protocol, self._network.parameters())
        before = os.environ.get(GRAPHS)
        os.environ[GRAPHS] = "" if graphs else "off"
        self.step = make_step(self._network, optimizer, protocol, device, steps=10**6)
        os.environ.pop(GRAPHS)
        if before is not None:
            os.environ[GRAPHS] = before
        generator = torch.Generator().manual_seed(Seeds.of(0).order)
        self._batches = repeated(lambda: self._images.epoch(generator))

    def turn(self, steps: int) -> tuple[int, float]:
        """Images of so many steps, and their mean loss."""
        images, losses = 0, []
        with reproducible(self._device, self._protocol.threads):
            for _ in range(steps):
                batch, labels = next(self._batches)
                self._network.set_progress(0.5)
                logits, loss = self.step(batch, labels, 0.01)
                losses.append(loss * len(labels))
                (logits.argmax(1) == labels).sum()
                images += len(labels)
            return images, float(torch.stack(losses).sum()) / images


class Images(Dataset[tuple[Tensor, int]]):
    """One picture after the other through torchvision's transforms."""

    def __init__(self, protocol: Protocol) -> None:
        dataset = load_data(protocol.data)
        chosen, _ = dataset.split(protocol.validation, protocol.split_seed)
        self._pixels = dataset.train.pixels[chosen].transpose(0, 2, 3, 1)
        self._labels = dataset.train.labels[chosen]
        side = dataset.size
        mean, deviation = ([0.5] * dataset.channels for _ in range(2))
        self._transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(side, padding=side // 8),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean, deviation),
                transforms.RandomErasing(p=1.0, scale=(1 / 16, 1 / 16), ratio=(1.0, 1.0)),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        return self._transform(self._pixels[place]), int(self._labels[place])


class UsualLoop:
    """DataLoader, transforms, contiguous float32, torch.optim, `loss.item()` in every step."""

    def __init__(self, architecture: Architecture, protocol: Protocol, device: torch.device, workers: int) -> None:
        plain = protocol.model_copy(update={"channels_last": False, "precision": "float32"})
        self._device = device
        self._network: nn.Module = network_of(architecture, plain, device).train()
        self._optimizer = torch.optim.SGD(
            self._network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True
        )
        self._loader = DataLoader(
            Images(protocol),
            batch_size=protocol.batch_size,
            shuffle=True,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
        )
        self._batches = repeated(lambda: iter(self._loader))

    def turn(self, steps: int) -> tuple[int, float]:
        """Images of so many steps, and their mean loss."""
        images, total = 0, 0.0
        for _ in range(steps):
            batch, labels = next(self._batches)
            batch, labels = batch.to(self._device, non_blocking=True), labels.to(self._device, non_blocking=True)
            self._optimizer.zero_grad()
            loss = functional.cross_entropy(self._network(batch), labels)
            loss.backward()
            self._optimizer.step()
            total += loss.item() * len(labels)
            images += len(labels)
        return images, total / images


def rates(loops: dict[str, OurLoop | UsualLoop], device: torch.device, size: Size) -> dict[str, float]:
    """Images a second of each loop, taken in turns; a first turn that records and warms up does not count."""
    clock, images, seconds = Clock(device), dict.fromkeys(loops, 0), dict.fromkeys(loops, 0.0)
    for turn in range(size.turns + 1):
        for name, loop in loops.items():
            began = clock.now()
            done, loss = loop.turn(size.steps)
            if not np.isfinite(loss):
                raise SystemExit(f"{name}: the mean loss of a turn is {loss}")
            if turn:
                images[name] += done
                seconds[name] += clock.now() - began
    return {name: images[name] / seconds[name] for name in loops}


def bytes_of_training(network: Network, example: Tensor, width: int) -> float:
    """A model of what a training step must move for one image: every layer reads what it is given and writes what it gives, three times.

    Args:
        network: any mode.
        example: images [b, c, h, w].
        width: bytes of a number.
    """
    numbers = 0

    def count(_: nn.Module, given: tuple[Tensor, ...], gives: object) -> None:
        nonlocal numbers
        numbers += sum(tensor.numel() for tensor in given if isinstance(tensor, Tensor))
        numbers += gives.numel() if isinstance(gives, Tensor) else 0

    handles = [part.register_forward_hook(count) for part in network.modules() if not list(part.children())]
    with torch.no_grad():
        network(example)
    for handle in handles:
        handle.remove()
    return 3.0 * width * numbers / len(example)


def roofline(architecture: Architecture, protocol: Protocol, device: torch.device, peaks: Peaks) -> tuple[float, str]:
    """Images a second that the measured peaks allow, and which of them is the bound."""
    dataset = load_data(protocol.data)
    scale = protocol.scale(dataset.size, dataset.channels, len(dataset.classes))
    operations = FLOPS_OF_TRAINING * architecture.space.count(architecture, scale).mult_adds
    example = torch.zeros(8, dataset.channels, dataset.size, dataset.size, device=device)
    width = 2 if protocol.precision == "bfloat16" else 4
    moved = bytes_of_training(network_of(architecture, protocol, device), example, width)
    computing, moving = operations / peaks.operations[protocol.precision], moved / peaks.bytes_moved
    return 1 / max(computing, moving), "memory" if moving > computing else "arithmetic"


def compare_loops(name: str, device: torch.device, size: Size, peaks: Peaks) -> tuple[list[Measurement], float]:
    """Images a second of one network in every way; and the rate of the fastest of ours."""
    space, fields = NETWORKS[name]
    architecture = architecture_of(space)
    exact = protocol_of(size, fields)
    short = protocol_of(size, fields, precision="bfloat16")
    loops: dict[str, OurLoop | UsualLoop] = {
        "ours, bfloat16": OurLoop(architecture, short, device, graphs=True),
        "ours, bfloat16, no graph": OurLoop(architecture, short, device, graphs=False),
        "ours, float32": OurLoop(architecture, exact, device, graphs=True),
        "usual": UsualLoop(architecture, exact, device, size.workers),
    }
    found = rates(loops, device, size)
    usual = found.pop("usual")
    measured = []
    for way, rate in found.items():
        limit, bound = roofline(architecture, exact if "float32" in way else short, device, peaks)
        loop = loops[way]
        assert isinstance(loop, OurLoop)
        note = f"{device_name(device)}; {100 * rate / limit:.1f}% of the roofline, whose bound is {bound}"
        note += f"; {loop.step.note}" if loop.step.note else ""
        measured.append(
            Measurement(f"training of {name}: {way}", rate / usual, "the usual loop", rate, usual, "images/s", note)
        )
    return measured, max(found.values())


def children_an_hour(device: torch.device, size: Size, rate: float, deadline: float) -> list[Measurement]:
    """Children a GPU-hour when 1, 2, 4, 8 share the device, each a process; the charge is checked against the clock."""
    name = next(iter(NETWORKS))
    space, fields = NETWORKS[name]
    trained = len(load_data(size.data).train) * 0.9
    epochs = max(1, round(size.child_seconds * rate / trained))
    protocol = protocol_of(size, fields, precision="bfloat16", epochs=epochs)
    architecture, place = architecture_of(space), str(device)
    measured: list[Measurement] = []
    alone = 0.0
    for sharing in size.sharing:
        if time.monotonic() > deadline:
            print(f"no time left for {sharing} children a device and more")
            break
        options = ExecutorOptions(devices=(place,), children_per_device=sharing)
        with LocalExecutor(options) as executor:
            run_children(executor, architecture, protocol.model_copy(update={"epochs": 1}), sharing)  # processes start
            with EnergyMeter(counters_of([place])) as meter:
                began = time.perf_counter()
                charged = run_children(executor, architecture, protocol, 2 * sharing)
                seconds = time.perf_counter() - began
            joules = meter.joules()
        an_hour = 2 * sharing / seconds * SECONDS_PER_HOUR
        alone = alone or an_hour
        note = f"{device_name(device)}; {name}, {epochs} epochs; charged {charged:.2f} of {seconds:.2f} s of the device"
        note += "".join(f"; {value / (2 * sharing):.0f} J a child by {counter}" for counter, value in joules.items())
        measured.append(
            Measurement(
                f"{sharing} children a device", an_hour / alone, "1 child a device", an_hour, alone, "children/h", note
            )
        )
        keep(measured[-1:], record=False)
    return measured


def run_children(executor: LocalExecutor, architecture: Architecture, protocol: Protocol, number: int) -> float:
    """Train so many; returns the device-seconds that they are charged."""
    for ticket in range(number):
        executor.submit(ticket, Child(architecture, protocol, seed=ticket))
    ended, charged = 0, 0.0
    while ended < number:
        for _, evaluation in executor.wait():
            if evaluation.status != "ok":
                raise SystemExit(f"a child ended as {evaluation.status}: {evaluation.error}")
            ended += 1
            charged += evaluation.device_seconds
    return charged


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, ...; cpu only with --quick")
    parser.add_argument("--minutes", type=float, default=8.0, help="after which nothing new is begun")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does the script work? Nothing is recorded")
    parser.add_argument("--short", action="store_true", help="one network and short turns; nothing is recorded")
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    try:
        device = resolve_device(options.device)
    except InputError as error:
        print(f"error: {error}; to try the script without a GPU: --device cpu --quick", file=sys.stderr)
        raise SystemExit(2) from None
    if device.type == "cpu" and not options.quick:
        print("error: on a processor only with --quick; benchmarks/training.py measures processors", file=sys.stderr)
        raise SystemExit(2)
    size = QUICK if options.quick else SHORT if options.short else FULL
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as in training; read when cuBLAS is first used
    with torch.random.fork_rng():
        peaks = Peaks.of(device, size)
    rows = ", ".join(f"{rate / 1e12:.3g} TFLOP/s in {name}" for name, rate in peaks.operations.items())
    print(f"{device_name(device)}: {rows}; copies {peaks.bytes_moved / 1e9:.4g} GB/s", flush=True)
    if device.type == "cuda" and not any(counter.name.startswith("nvml") for counter in counters_of([str(device)])):
        print("energy of the GPU cannot be read: it needs the extra nvml and a GPU of Volta or later")
    measured: list[Measurement] = []
    fastest = 0.0
    for name in list(NETWORKS)[: 1 if options.short else None]:
        found, rate = compare_loops(name, device, size, peaks)
        keep(found, record=False)
        sys.stdout.flush()
        measured += found
        fastest = fastest or rate
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()  # the children are other processes
    measured += children_an_hour(device, size, fastest, deadline)
    if not options.quick and not options.short:
        print()
        keep(measured)


if __name__ == "__main__":
    main()
