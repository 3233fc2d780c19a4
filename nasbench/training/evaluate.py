"""Training and scoring of one child; errors in it become a result with a status and a cost."""

from __future__ import annotations

import gc
import math
import os
import resource
import sys
import time
from dataclasses import dataclass, field, replace
from functools import lru_cache

import torch

from nasbench.data import Dataset, Images, load_data
from nasbench.data.fitting import fitted, require_fit
from nasbench.errors import InputError
from nasbench.kernels.platform import platform_here
from nasbench.kernels.portable import is_portable_process
from nasbench.networks.base import Network
from nasbench.protocols.protocol import Protocol, check_kernels
from nasbench.provenance import utc_now
from nasbench.structures import Counts, Scale
from nasbench.training.augmentation import ResidentImages, TrainingImages, Whitening
from nasbench.training.clocks import reading, require_clock
from nasbench.training.determinism import Nondeterminism
from nasbench.training.device_checks import require_working
from nasbench.training.evaluation import Child, Evaluation, Status, Trained
from nasbench.training.loop import Diverged, History, Seeds, TimedOut, reproducible, score, seed_device, train
from nasbench.training.memory_errors import is_out_of_memory

ERROR_LENGTH = 300  # most characters of an error in a row


def evaluate(child: Child, device: str = "cpu", devices: float = 1.0) -> Evaluation:
    """Train a child by its protocol and score it on the validation images and, if the child asks for it, the test
    images.

    On the same machine, the same child always gets the same scores and curves to the bit; times and memory differ. With
    portable kernels it gets them on every x86-64 processor; if this process has imported torch with fast kernels, the
    child is then trained in a worker process.

    Data sets stay in memory. The first child of a process reads its data from disk, and this time is not charged.

    Args:
        child: architecture, protocol and seed.
        device: "cpu", "cuda" (the first GPU) or "cuda:1".
        devices: number of devices held, or the share of one, > 0; only recorded.

    Returns:
        The evaluation. If its status is not "ok", it has the error in one line, the curves of the completed epochs and
        the seconds spent. `error` also notes operations without a deterministic implementation, and a training that had
        to do without CUDA graphs. `peak_memory` is the peak on a CUDA device, data included; on the CPU it is the
        highest resident memory of the process so far.

    Raises:
        InputError: when the device does not exist, the protocol does not fit the data, or portable kernels are to run
            on a GPU, or processor time is to be counted on a GPU or with several threads.
        DeviceFault: when a CUDA device fails its self-test, which runs once per process and is not charged.
        MissingData: when the files of the data set are missing.
    """
    place = resolve_device(device)
    require_clock(child.clock, device, child.protocol.threads)
    dataset = checked_data(child.protocol, device)
    child = replace(child, protocol=fitted(child.protocol, dataset))
    if child.protocol.kernels == "portable" and not is_portable_process():
        from nasbench.training.portable_worker import WORKER

        return WORKER.evaluate(child, device, devices)
    if place.type == "cuda":
        require_working(place)
    started_at, start, counted_from = utc_now(), time.perf_counter(), reading(child.clock)
    if place.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]  # before it, there are no statistics to reset
        torch.cuda.reset_peak_memory_stats(place)
    record = _Record(History(clock=child.clock))
    status, error = _guarded(child, dataset, place, start + child.timeout_seconds, record)
    if status == "out_of_memory" and place.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
    elapsed = reading(child.clock) - counted_from
    history, curves = record.history, record.history.curves
    ok = status == "ok"
    evaluation = Evaluation(
        status=status,
        error="; ".join(filter(None, (error, history.note, record.nondeterminism.note))),
        val_acc=curves["val_acc"][-1] if ok else math.nan,
        val_acc_best=max(curves["val_acc"]) if ok else math.nan,
        val_loss=curves["val_loss"][-1] if ok else math.nan,
        train_acc=curves["train_acc"][-1] if ok else math.nan,
        train_loss=curves["train_loss"][-1] if ok else math.nan,
        test_acc=record.test_acc,
        test_loss=record.test_loss,
        params=record.counts.params,
        mult_adds=record.counts.mult_adds,
        epochs=history.epochs,
        train_seconds=history.train_seconds,
        eval_seconds=history.eval_seconds,
        setup_seconds=max(elapsed - history.train_seconds - history.eval_seconds, 0.0),
        peak_memory=_peak_memory(place),
        device=device_name(place),
        devices=devices,
        platform=platform_here(child.protocol.kernels, child.protocol.threads),
        started_at=started_at,
        finished_at=utc_now(),
        from_epoch=history.from_epoch,
        curves={name: tuple(values) for name, values in curves.items()},
    )
    if ok and child.keeper is not None:
        assert record.network is not None
        assert record.whitening is not None
        child.keeper.trained(child, Trained(record.network, record.whitening, dataset), evaluation)
    return evaluation


def resolve_device(device: str) -> torch.device:
    """Return the torch device with a given name.

    Args:
        device: "cpu", "cuda" (the first GPU) or "cuda:INDEX"; an index counts the GPUs in CUDA_VISIBLE_DEVICES only.

    Returns:
        The device, always with an index if it is a GPU.

    Raises:
        InputError: when this machine has no such device; lists those that it has.
    """
    there = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    name = "cuda:0" if device == "cuda" else device
    if name not in there:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        why = f" (CUDA_VISIBLE_DEVICES={visible!r} is set; its first device is cuda:0)" if visible is not None else ""
        raise InputError(f"device {device!r} is not on this machine; there is: {', '.join(there)}{why}")
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """Return the name of a device as rows and price tables have it.

    Args:
        device: from `resolve_device`.

    Returns:
        "cpu", or the driver's name of the GPU, e.g. "NVIDIA H100 80GB HBM3".

    Raises:
        InputError: when CUDA does not start on the device.
    """
    if device.type != "cuda":
        return "cpu"
    try:
        return torch.cuda.get_device_name(device)
    except RuntimeError as error:  # e.g. a driver too old for this torch, or a device that another process holds alone
        raise InputError(
            f"device {str(device)!r} cannot be used: {_line(error)} (torch {torch.__version__}, built for CUDA "
            f"{torch.version.cuda})"
        ) from error


_UNCOUNTED = Counts(params=0, mult_adds=0)


@dataclass
class _Record:
    """Measurements of a child so far; they can be read after an exception, too."""

    history: History = field(default_factory=History)
    nondeterminism: Nondeterminism = field(default_factory=Nondeterminism)
    counts: Counts = _UNCOUNTED
    test_loss: float = math.nan
    test_acc: float = math.nan
    network: Network | None = None
    whitening: Whitening | None = None


@dataclass(frozen=True)
class Placed:
    """The images of a protocol on a device.

    Args:
        train: training images, with augmentation.
        validation: validation images.
        whitening: whitening of the training images; test images are whitened with it, too.
    """

    train: TrainingImages
    validation: ResidentImages
    whitening: Whitening


def _guarded(
    child: Child, dataset: Dataset, place: torch.device, deadline: float, record: _Record
) -> tuple[Status, str]:
    """Train and score; return the status and the error of an exception. KeyboardInterrupt is raised on.

    SystemExit is a failure like others: a network that calls sys.exit must not end the search.
    """
    try:
        with reproducible(place, child.protocol.threads, child.protocol.kernels, record.nondeterminism):
            _train_and_score(child, dataset, place, deadline, record)
    except Diverged as error:
        return "diverged", _line(error)
    except TimedOut as error:
        return "timed_out", f"over {child.timeout_seconds:g} s {_line(error)}"
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            return "out_of_memory", _line(error) or "no memory left"
        return "failed", f"{type(error).__name__}: {_line(error)}"
    return "ok", ""


def _train_and_score(child: Child, dataset: Dataset, place: torch.device, deadline: float, record: _Record) -> None:
    protocol, seeds = child.protocol, Seeds.of(child.seed)
    space = child.architecture.space
    scale = _scale(protocol, dataset)
    record.counts = space.count(child.architecture, scale)
    seed_device(place, seeds.weights)
    network = space.build(child.architecture, scale, protocol.regularization())
    network = network.to(place)
    if protocol.channels_last:
        network = network.to(memory_format=torch.channels_last)
    placed = place_images(protocol, place)
    record.network, record.whitening = network, placed.whitening
    kept = child.keeper
    train(network, placed.train, placed.validation, protocol, seeds, record.history, deadline, kept, child.last_epoch)
    if child.test:
        with record.history.evaluating():
            test = ResidentImages(dataset.test, placed.whitening, protocol.channels_last, place)
            record.test_loss, record.test_acc = score(network, test, protocol, deadline)


def _scale(protocol: Protocol, dataset: Dataset) -> Scale:
    return protocol.scale(dataset.size, dataset.channels, len(dataset.classes))


def checked_data(protocol: Protocol, device: str) -> Dataset:
    """Load a protocol's data, and refuse a protocol or a device with which every child would fail.

    Args:
        protocol: the training protocol.
        device: "cpu", "cuda" or "cuda:1".

    Returns:
        The data set.

    Raises:
        InputError: when the device does not exist, or the protocol does not fit the data or the device.
        MissingData: when the files of the data set are missing.
    """
    resolve_device(device)
    check_kernels(protocol, device)
    dataset = load_data(protocol.data)
    protocol = fitted(protocol, dataset)
    require_fit(protocol, dataset)
    return dataset


def place_images(protocol: Protocol, place: torch.device) -> Placed:
    """Split a protocol's data and copy it to a device; the last two results are kept for further children.

    They are kept by the digest of the data, too: `provide_data` may give other images under the same text.

    Args:
        protocol: the training protocol.
        place: the device.

    Returns:
        The training images with the protocol's augmentation, the validation images, and their whitening.
    """
    return _place_images(protocol, place, load_data(protocol.data).digest)


@lru_cache(maxsize=2)
def _place_images(protocol: Protocol, place: torch.device, digest: str) -> Placed:
    """Place the images of a digest, see `place_images`."""
    dataset = load_data(protocol.data)
    chosen, held_out = dataset.split(protocol.validation, protocol.split_seed)
    if protocol.train_images:
        chosen = chosen[: protocol.train_images]
    train_part, validation_part = (
        Images(dataset.train.pixels[part], dataset.train.labels[part]) for part in (chosen, held_out)
    )
    whitening = Whitening.of(train_part.pixels) if protocol.whiten else Whitening.none(dataset.channels)
    resident, validation = (
        ResidentImages(part, whitening, protocol.channels_last, place) for part in (train_part, validation_part)
    )
    return Placed(TrainingImages(resident, whitening, protocol), validation, whitening)


def _peak_memory(place: torch.device) -> int:
    """Return the peak memory in bytes: of a CUDA device for this child, otherwise of the whole process."""
    if place.type == "cuda":
        return int(torch.cuda.max_memory_allocated(place))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, others kilobytes


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:ERROR_LENGTH]
