"""Training of small networks on the CPU: the suite against the usual loop, interleaved in one run, and the machine's measured peak beside them.

python benchmarks/training.py /path/to/cifar10-folder       train/<class>/<image>, test/<class>/<image>

The usual loop: DataLoader over PIL images with torchvision's transforms, contiguous float32, `torch.optim.SGD`, one process with a thread a
core. Ours: what `nasbench run` does, bit for bit repeatable, in one process of one thread a core, each with a child of its own. Both train
the same network with the same batches, crops and flips; scoring is left out on both sides. Each figure is the median over the rounds.
That all trainings of ours, in whichever process, end with the same bits is asserted.

Figures of the machine need the machine: where others work on it too, `chrt -r 1` (Linux, root) before the command keeps them out.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from record import Measurement, keep
from torch import nn

from nasbench.data import Dataset, load_data
from nasbench.errors import InputError, MissingData
from nasbench.networks.base import Network
from nasbench.networks.cells import build_cell_network
from nasbench.networks.layers import build_layer_stack
from nasbench.networks.resnet import build_resnet
from nasbench.protocols.protocol import Protocol
from nasbench.spaces import get_space
from nasbench.spaces.genotypes import NAS_V1, NASNET_A
from nasbench.structures import Counts, LayerStack, Scale
from nasbench.training.evaluate import place_images
from nasbench.training.loop import History, Seeds, reproducible, seed_device, train

BATCH = 64
PADDING = 4
CPU = torch.device("cpu")
AGAINST = "the usual loop"
DATA_IMAGES = 4096
PEAK_SECONDS = 0.4

NB201_BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
NB201_DRAWN = "|avg_pool_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|skip_connect~1|none~2|"
NAS_V1_6 = LayerStack(NAS_V1.layers[:6], (6,))


def random_nasnet(scale: Scale) -> Network:
    """One cell pair as a search draws them: large max pools, dilated and factored convolutions."""
    space = get_space("nasnet")
    return space.build(space.random(np.random.default_rng(0)), scale)


def nb201(cell: str, scale: Scale) -> Network:
    """The network of a cell in the form of the official string."""
    space = get_space("nasbench201")
    return space.build(space.parse(cell), scale)  # type: ignore[attr-defined,no-any-return]


@dataclass(frozen=True)
class Task:
    """A network to train.

    Args:
        title: as in the record.
        build: makes it at a scale.
        scale: its own cells and filters.
        images: of a round, a multiple of the batch: seconds of training.
        goal: how many times the usual loop's throughput.
        precisions: of ours; the usual loop has float32.
    """

    title: str
    build: Callable[[Scale], Network]
    scale: Scale
    images: int
    goal: float
    precisions: tuple[Literal["float32", "bfloat16"], ...] = ("float32",)


BOTH: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
TASKS = {
    "nasnet": Task("NASNet-A, 3 + 2 cells, F=8", partial(build_cell_network, NASNET_A), Scale(1, 8), 512, 2.2),
    "random": Task("random NASNet cells, 3 + 2, F=8", random_nasnet, Scale(1, 8), 512, 2.2),
    "nb201": Task("NAS-Bench-201, N=1, C=16, a drawn cell", partial(nb201, NB201_DRAWN), Scale(1, 16), 2048, 2.2),
    "nb201-best": Task("NAS-Bench-201, N=1, C=16, five 3x3", partial(nb201, NB201_BEST), Scale(1, 16), 1024, 2.2, BOTH),
    "nas": Task("NAS v1, first 6 layers", partial(build_layer_stack, NAS_V1_6), Scale(), 192, 1.5, BOTH),
    "resnet": Task("ResNet-20", partial(build_resnet, 20), Scale(), 1024, 1.5, BOTH),
}


@dataclass(frozen=True)
class Timing:
    """Images that a process took through training, its seconds by the clock and of the processor, and the loss on the way."""

    images: int
    wall: float
    cpu: float
    loss: float = math.nan


@contextlib.contextmanager
def timed(images: int) -> Iterator[list[Timing]]:
    """Time the block; the list holds the timing afterwards."""
    timings: list[Timing] = []
    wall, cpu = time.perf_counter(), time.process_time()
    yield timings
    timings.append(Timing(images, time.perf_counter() - wall, time.process_time() - cpu))


class TimedHistory(History):
    """Takes the processor's time of what is billed to training."""

    def __init__(self, images: int) -> None:
        super().__init__()
        self.images, self.timings = images, list[Timing]()

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Bill the block to training."""
        with timed(self.images) as timings, super().training():
            yield
        self.timings += timings


def protocol_of(data: str, images: int, precision: Literal["float32", "bfloat16"] = "float32") -> Protocol:
    """One epoch of these images."""
    return Protocol(
        data=data, validation=0.001, train_images=images, epochs=1, batch_size=BATCH, enlarge="pad", crop_from=32 + 2 * PADDING, flip=True, precision=precision
    )  # fmt: skip


def train_ours(task: Task, data: str, precision: Literal["float32", "bfloat16"]) -> Timing:
    """As `nasbench.training.evaluate` does."""
    protocol = protocol_of(data, task.images, precision)
    history, seeds = TimedHistory(task.images), Seeds.of(0)
    with reproducible(CPU, protocol.threads):
        seed_device(CPU, seeds.weights)
        network = task.build(task.scale).to(memory_format=torch.channels_last)
        placed = place_images(protocol, CPU)
        train(network, placed.train, placed.validation, protocol, seeds, history)
    return replace(history.timings[0], loss=history.curves["train_loss"][0])


class PilImages(torch.utils.data.Dataset[Any]):
    """As torchvision's CIFAR10: arrays, of which each read makes a PIL image and transforms it."""

    def __init__(
        self, pixels: NDArray[np.uint8], labels: NDArray[Any], whitening: tuple[list[float], list[float]]
    ) -> None:
        from torchvision import transforms

        self.pixels, self.labels = pixels, labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=PADDING),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(*whitening),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.pixels[index])), int(self.labels[index])


def usual_loader(dataset: Dataset, images: int, workers: int) -> torch.utils.data.DataLoader[Any]:
    """The usual way to the batches."""
    pixels = np.ascontiguousarray(dataset.train.pixels[:images].transpose(0, 2, 3, 1))
    source = PilImages(pixels, dataset.train.labels[:images], ([0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]))
    return torch.utils.data.DataLoader(source, BATCH, shuffle=True, drop_last=True, num_workers=workers)


def train_usual(task: Task, data: str, workers: int) -> Timing:
    """The loop of tutorials."""
    torch.manual_seed(0)
    network = task.build(task.scale)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True)
    loader = usual_loader(load_data(data), task.images, workers)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(loader))
    criterion = nn.CrossEntropyLoss()
    network.train()
    loss_sum = hits = 0.0
    with timed(task.images) as timings:
        for images, labels in loader:
            optimizer.zero_grad()
            logits = network(images)
            loss = criterion(logits, labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            loss_sum += loss.item() * len(labels)
            hits += (logits.argmax(1) == labels).sum().item()
    assert np.isfinite(loss_sum)
    return timings[0]


def data_ours(data: str) -> Timing:
    """Batches alone."""
    placed = place_images(protocol_of(data, DATA_IMAGES), CPU)
    generator = torch.Generator().manual_seed(0)
    with reproducible(CPU, 1), timed(DATA_IMAGES) as timings:
        for _ in placed.train.epoch(generator):
            pass
    return timings[0]


def data_usual(data: str) -> Timing:
    """Batches alone."""
    loader = usual_loader(load_data(data), DATA_IMAGES, 0)
    with timed(DATA_IMAGES) as timings:
        for _ in loader:
            pass
    return timings[0]


def peak() -> float:
    """Multiply-adds a second of this process: the best of a matrix product and a 3x3 convolution, both in float32 and the cache."""
    matrix = torch.randn(768, 768)
    images = torch.randn(16, 64, 32, 32).to(memory_format=torch.channels_last)
    layer = nn.Conv2d(64, 64, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
    best = 0.0
    works: list[tuple[Callable[[], Any], float]] = [
        (lambda: matrix @ matrix, 768.0**3),
        (lambda: layer(images), 16 * 1024 * 9 * 64.0**2),
    ]
    with torch.no_grad():
        for work, mult_adds in works:
            work()
            done, began = 0, time.perf_counter()
            while (elapsed := time.perf_counter() - began) < PEAK_SECONDS:
                work()
                done += 1
            best = max(best, done * mult_adds / elapsed)
    return best


def serve(pipe: Connection, threads: int, data: str, workers: int) -> None:
    """Do in a process of its own what is asked for."""
    torch.set_num_threads(threads)
    load_data(data)
    does: dict[str, Callable[[str], Any]] = {
        "float32": lambda name: train_ours(TASKS[name], data, "float32"),
        "bfloat16": lambda name: train_ours(TASKS[name], data, "bfloat16"),
        "usual": lambda name: train_usual(TASKS[name], data, workers),
        "data ours": lambda name: data_ours(data),
        "data usual": lambda name: data_usual(data),
        "peak": lambda name: peak(),
        "count": lambda name: count(TASKS[name]),
    }
    while (order := pipe.recv()) is not None:
        kind, name = order
        pipe.send(does[kind](name))


def count(task: Task) -> Counts:
    """Parameters and multiply-adds of a forward pass."""
    from torch.utils.flop_counter import FlopCounterMode

    network = task.build(task.scale)
    with FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 3, 32, 32))
    return Counts(sum(weight.numel() for weight in network.parameters()), counter.get_total_flops() // 2)


class Hand:
    """A process that measures."""

    def __init__(self, threads: int, data: str, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, threads, data, workers))
        self._process.start()
        theirs.close()  # so that a process that ends early is an end of file here

    def ask(self, kind: str, name: str = "") -> None:
        """Start a measurement."""
        self._pipe.send((kind, name))

    def answer(self) -> Any:
        """Wait for it."""
        return self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._process.join()


def together(hands: list[Hand], kind: str, name: str = "") -> list[Any]:
    """All at once."""
    for hand in hands:
        hand.ask(kind, name)
    return [hand.answer() for hand in hands]


def rate(timings: list[Timing]) -> float:
    """Images a second of the machine."""
    return sum(timing.images / timing.wall for timing in timings)


def frugality(timings: list[Timing]) -> float:
    """Images a second of the processor."""
    return sum(timing.images for timing in timings) / sum(timing.cpu for timing in timings)


def compare(name: str, usual: Hand, ours: list[Hand], rounds: int) -> list[Measurement]:
    """Interleave both; the first round only warms up."""
    task, mult_adds = TASKS[name], together(ours[:1], "count", name)[0].mult_adds
    peaks, theirs = list[float](), list[list[Timing]]()
    mine: dict[str, list[list[Timing]]] = {precision: [] for precision in task.precisions}
    for turn in range(rounds + 1):
        timings = {kind: together([usual] if kind == "usual" else ours, kind, name) for kind in ("usual", *mine)}
        both = sum(together(ours, "peak"))
        if turn:
            peaks.append(both)
            theirs.append(timings["usual"])
            for precision, kept in mine.items():
                kept.append(timings[precision])
            print(f"  {name}: " + ", ".join(f"{kind} {rate(each):.0f}" for kind, each in timings.items()), flush=True)
    best, their_rate, their_frugality = (
        statistics.median(column) for column in (peaks, [*map(rate, theirs)], [*map(frugality, theirs)])
    )
    rows = []
    for precision, kept in mine.items():
        losses = {timing.loss for timings in kept for timing in timings}
        assert len(losses) == 1, f"{task.title}: trainings with one seed end with the losses {losses}"
        ratio = statistics.median(rate(a) / rate(b) for a, b in zip(kept, theirs))
        our_rate, our_frugality = (statistics.median(map(each, kept)) for each in (rate, frugality))
        note = (
            f"a processor second {our_frugality:.0f} against {their_frugality:.0f} ({our_frugality / their_frugality:.2f} x); "
            f"{3 * mult_adds * our_rate / best:.0%} against {3 * mult_adds * their_rate / best:.0%} of the measured float32 peak of "
            f"{2e-9 * best:.0f} GFLOP/s; goal {task.goal} x; batch {BATCH}; {rounds} rounds"
        )
        what = f"training of {task.title}" + (", in bfloat16" if precision == "bfloat16" else "")
        rows.append(Measurement(what, ratio, AGAINST, our_rate, their_rate, "images/s of the machine", note))
    return rows


def compare_data(usual: Hand, ours: Hand, rounds: int) -> Measurement:
    """The way to the batches alone, in processor time."""
    theirs, mine = [], []
    for turn in range(rounds + 1):
        a, b = together([usual], "data usual")[0], together([ours], "data ours")[0]
        if turn:
            theirs.append(1e6 * a.cpu / a.images)
            mine.append(1e6 * b.cpu / b.images)
    ratio = statistics.median(a / b for a, b in zip(theirs, mine))
    return Measurement("crops, flips and whitening, without training", ratio, "DataLoader and torchvision transforms", statistics.median(mine), statistics.median(theirs), "processor us an image", f"goal 25 x; {rounds} rounds")  # fmt: skip


def main() -> None:
    """Parse, measure, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder",
        help="images as train/<class>/<image> and test/<class>/<image>, 32x32 in colour; a folder or a tar file",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=[*TASKS, "data"], default=[*TASKS, "data"])
    parser.add_argument("--workers", type=int, default=0, help="of the usual loop's DataLoader")
    parser.add_argument("--no-record", action="store_true", help="print only")
    options = parser.parse_args()
    data, cores = f"folder:{options.folder}", len(os.sched_getaffinity(0))
    try:
        dataset = load_data(data)  # decoded once, into the cache
    except (InputError, MissingData) as error:
        parser.error(str(error))
    if (dataset.size, dataset.channels) != (32, 3):
        parser.error(
            f"{options.folder}: images are 32x32 in colour, got {dataset.size}x{dataset.size} with {dataset.channels} channels"
        )
    usual = Hand(cores, data, options.workers)
    ours = [Hand(1, data, 0) for _ in range(cores)]
    rows = [row for name in options.only if name != "data" for row in compare(name, usual, ours, options.rounds)]
    if "data" in options.only:
        rows.append(compare_data(usual, ours[0], options.rounds))
    for hand in [usual, *ours]:
        hand.close()
    real_time = hasattr(os, "SCHED_RR") and os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO)
    note = (
        "real-time priority"
        if real_time
        else f"load average {os.getloadavg()[1]:.1f}, of which {cores} are this benchmark's"
    )
    keep([replace(row, note=f"{row.note}; {note}") for row in rows], record=not options.no_record)


if __name__ == "__main__":
    main()
