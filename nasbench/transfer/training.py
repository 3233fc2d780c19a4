"""Training of one network on images in folders, on one or several devices; it can be resumed after each epoch.

As in the replicas of NASNet's released code, BatchNorm averages over the `replica_batch` images of a forward pass, and
never over those of other processes. The network is scored with the running statistics of process 0.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from nasbench.errors import InputError
from nasbench.networks.base import Network
from nasbench.networks.cells import build_cell_network
from nasbench.networks.skeletons import Skeleton
from nasbench.provenance import provenance, utc_now
from nasbench.structures import CellPair, Scale
from nasbench.training.evaluate import device_name
from nasbench.training.loop import Diverged, Seeds, reproducible, seed_device
from nasbench.training.optimizers import make_optimizer
from nasbench.training.steps import autocast, losses
from nasbench.transfer.average import AveragedNetwork
from nasbench.transfer.checkpoint import (
    prepare_folder,
    read_checkpoint,
    require_record_of,
    write_checkpoint,
    write_record,
)
from nasbench.transfer.family import Size, count_member, folder_scale
from nasbench.transfer.images import (
    AugmentedImages,
    Batches,
    EpochBatches,
    Folders,
    ScoringBatches,
    decoded,
    derived_seed,
    load_batches,
    open_folders,
    scoring_pipeline,
    training_pipeline,
)
from nasbench.transfer.parallel import Share, first_of_all, run_shares
from nasbench.transfer.protocol import TransferProtocol

RECORD_VERSION = 1

Status = Literal["running", "ok", "diverged"]


@dataclass(frozen=True)
class TransferJob:
    """A network to train on images in folders.

    Args:
        name: name of the architecture: that of a genotype, or the start of a hash.
        encoding: encoding of the architecture; "" for a genotype.
        pair: normal and reduction cell.
        skeleton: name of the rule by which cells are stacked, "nasnet" or "pnas".
        size: N and F.
        pixels: side of the images; None for 331 or 224, see `nasbench.transfer.family.imagenet_scale`. At most
            `SMALL_PIXELS` of them have the CIFAR stem.
        data: folder with train/ and val/ (or test/).
        protocol: the training protocol.
        seed: training seed: of initial weights, order, augmentation, dropout and drop-path, >= 0.
        workers: decoding processes per training process, >= 0; it changes no result.
        folder: folder for checkpoint and record; created if missing.
        progress: whether to show a bar and a line per epoch on standard error.
    """

    name: str
    encoding: str
    pair: CellPair
    skeleton: Skeleton
    size: Size
    pixels: int | None
    data: str
    protocol: TransferProtocol
    seed: int
    workers: int
    folder: Path
    progress: bool = True


class Epoch(NamedTuple):
    """The numbers of an epoch; losses in nats, accuracies in [0, 1].

    Attributes:
        learning_rate: learning rate of the last step.
        train_loss: mean loss of the main classifier on the training batches, with label smoothing.
        train_acc: accuracy on the training batches, in training mode.
        val_loss: loss of the averaged network on the scored images.
        top1_acc: top-1 accuracy of the averaged network on the scored images.
        top5_acc: top-5 accuracy of the averaged network on the scored images.
        seconds: wall time of the epoch.
    """

    learning_rate: float
    train_loss: float
    train_acc: float
    val_loss: float
    top1_acc: float
    top5_acc: float
    seconds: float


def train_transfer(job: TransferJob, device: str = "cpu", processes: int = 1) -> None:
    """Train a network, or resume a training that was stopped; the results are in record.json of the job's folder.

    The checkpoint is replaced after each epoch. After a stop at any moment (Ctrl-C, a crash, a power cut), the same
    call continues from the last complete epoch. On the same machine and with the same number of processes, the result
    then has the same bits as without the stop. The scored images are not used for any choice: report the numbers of the
    last epoch.

    Args:
        job: the network, its data and its protocol.
        device: "cpu", "cuda" (process i gets GPU i) or, with one process, "cuda:1".
        processes: number of processes, >= 1; each trains on an equal part of each batch.

    Raises:
        MissingData: when the images are missing.
        InputError: when data, batch size or device do not fit, an image cannot be decoded, or the folder contains
            another training.
    """
    check_job(job, processes)
    if first_of_all():
        prepare_folder(job.folder)
    run_shares(_work, job, device, processes)


def check_job(job: TransferJob, processes: int) -> None:
    """Refuse a training that cannot start, before anything is written.

    Args:
        job: the training.
        processes: number of processes, >= 1.

    Raises:
        MissingData: when the images are missing.
        InputError: when the data or the batch size do not fit.
    """
    check_batch(job.protocol, len(open_folders(job.data).train), processes)


def check_batch(protocol: TransferProtocol, images: int, processes: int) -> None:
    """Refuse a batch size that does not fit the number of images or processes.

    Args:
        protocol: the training protocol.
        images: number of training images.
        processes: number of processes, >= 1.

    Raises:
        InputError: when a batch is larger than the data set, cannot be cut evenly, or gives micro-batches of one image.
    """
    size = protocol.batch_size
    if size > images:
        raise InputError(f"batch_size={size}, but there are {images} training images; use --set batch_size={images}")
    if size % processes:
        raise InputError(f"batch_size={size} is not a multiple of the number of processes, {processes}")
    piece = protocol.piece(processes)
    if piece < 2:
        raise InputError(
            f"batch_size={size} and replica_batch={protocol.replica_batch} give forward passes of 1 image with "
            f"{processes} process(es); BatchNorm needs 2 or more"
        )
    if size // processes % piece:
        raise InputError(
            f"each of {processes} process(es) gets {size // processes} images of batch_size={size}, which is not a "
            "multiple of "
            f"replica_batch={protocol.replica_batch}"
        )


def _work(share: Share, job: TransferJob) -> None:
    """Do one process's share of the training."""
    folders = open_folders(job.data)
    with reproducible(share.device, job.protocol.threads):
        session = _Session(job, folders, share)
        session.resume()
        while session.status == "running":
            session.advance()


class Heads(nn.Module):
    """A module that returns the logits of both classifiers, for DistributedDataParallel to wrap.

    Args:
        network: the network.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute logits.

        Args:
            images: float32 [b, 3, pixels, pixels].

        Returns:
            Logits [b, classes] of the main classifier, and those of the auxiliary classifier or None.
        """
        return self.network.forward_with_auxiliary(images)


def shared_heads(network: Network, share: Share, pixels: int) -> nn.Module:
    """Return a network's `Heads`; with several processes, their gradients are averaged over the processes.

    Args:
        network: the network, on the share's device.
        share: this process's part.
        pixels: side of the images.

    Returns:
        `Heads`, within DistributedDataParallel if there are several processes.
    """
    heads = Heads(network)
    if share.processes == 1:
        return heads
    devices = [share.device] if share.device.type == "cuda" else None
    unused = leaves_weights_unused(network, torch.zeros(2, 3, pixels, pixels, device=share.device))
    return DistributedDataParallel(heads, device_ids=devices, find_unused_parameters=unused)


def leaves_weights_unused(network: Network, images: Tensor) -> bool:
    """Return True if some weights get no gradient, e.g. those of a cell whose output no other cell reads.

    Args:
        network: the network; it does not change, because a copy is tested.
        images: float32 [b, 3, pixels, pixels], b >= 2.

    Returns:
        True if at least one weight has no gradient.
    """
    twin = copy.deepcopy(network).train()
    sums = [logits.sum() for logits in twin.forward_with_auxiliary(images) if logits is not None]
    torch.stack(sums).sum().backward()  # type: ignore[no-untyped-call]
    return any(weight.grad is None for weight in twin.parameters())


def batch_losses(
    heads: nn.Module, images: Tensor, labels: Tensor, protocol: TransferProtocol
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the losses of a micro-batch.

    Args:
        heads: result of `shared_heads`.
        images: float32 [b, 3, pixels, pixels].
        labels: int64 [b].
        protocol: precision, label smoothing, and the weight of the auxiliary classifier's loss.

    Returns:
        Logits [b, classes] and mean loss in nats of the main classifier, and the loss to minimize, which contains the
        weighted loss of the auxiliary classifier.
    """
    with autocast(protocol, images.device):
        logits, auxiliary = heads(images)
    return logits, *losses(logits, auxiliary, labels, protocol)


class _Session:
    """The training in one process: network, optimizer, images, and numbers so far."""

    def __init__(self, job: TransferJob, folders: Folders, share: Share) -> None:
        self._job, self._share, self._protocol = job, share, job.protocol
        self._scale = folder_scale(job.size, len(folders.classes), job.pixels)
        self._seeds = Seeds.of(job.seed)
        self._network = _build(job, self._scale, self._seeds, share.device)
        self._average = AveragedNetwork(self._network, job.protocol.average_decay)
        self._heads = shared_heads(self._network, share, self._scale.image_size)
        self._optimizer = make_optimizer(job.protocol, self._network.parameters())
        self._order, self._batches = _training_batches(job, folders, self._scale.image_size, self._seeds.order, share)
        self._scored = _scored_batches(job, folders, self._scale.image_size, share)
        self._identity = _identity(job, self._scale, folders)
        self._record = _new_record(job, self._scale, folders)
        self._epochs: list[Epoch] = []
        self.status: Status = "running"

    def resume(self) -> None:
        """Continue from the checkpoint, if there is one, and add this attempt to the record."""
        state = read_checkpoint(self._job.folder, self._identity, self._share.device)
        if state is None:  # a record alone is of a training that stopped in its first epoch, or of one in memory
            require_record_of(self._job.folder, _recorded_identity(self._record))
        else:
            self._network.load_state_dict(state["network"])
            self._average.network.load_state_dict(state["average"])
            self._optimizer.restore(state["optimizer"])
            self._epochs = [Epoch(*numbers) for numbers in state["epochs"]]
            self._record["sessions"] = state["sessions"]
            self.status = "ok" if len(self._epochs) == self._protocol.epochs else "running"
        if self.status == "running":
            where = {"device": device_name(self._share.device), "processes": self._share.processes}
            begun = {"from_epoch": len(self._epochs), "started_at": utc_now(), **where, **provenance()}
            self._record["sessions"].append(begun)
        self._write_record()

    def advance(self) -> None:
        """Train and score one epoch, and write checkpoint and record."""
        start = time.perf_counter()
        try:
            rate, train_loss, train_acc = self._train()
            val_loss, top1, top5 = self._score()
        except Diverged as error:
            self.status = "diverged"
            self._record["error"] = str(error)
        else:
            seconds = time.perf_counter() - start
            self._epochs.append(Epoch(rate, train_loss, train_acc, val_loss, top1, top5, seconds))
            self.status = "ok" if len(self._epochs) == self._protocol.epochs else "running"
            self._write_checkpoint()
        self._write_record()
        self._tell()

    def _train(self) -> tuple[float, float, float]:
        """Train one epoch; return the last learning rate, the mean training loss and the training accuracy."""
        share, epoch, steps = self._share, len(self._epochs), self._order.steps
        # Seeded per epoch, so a checkpoint needs no state of a generator; and per process, each with its own dropout.
        seed_device(share.device, derived_seed(self._seeds.noise, epoch, share.process))
        self._order.epoch = epoch
        self._network.train()
        sums = torch.zeros(3, dtype=torch.float64, device=share.device)  # of losses, hits, images
        bar = tqdm(
            decoded(self._batches),
            f"epoch {epoch + 1}",
            steps,
            leave=False,
            disable=None if share.process == 0 and self._job.progress else True,
        )
        for number, (images, labels) in enumerate(bar, epoch * len(self._order)):
            logits, loss, labels = self._piece(images, labels, *divmod(number, self._order.pieces))
            hits = (logits.argmax(1) == labels).sum()
            sums += torch.stack(
                (loss.double() * len(labels), hits.double(), torch.full_like(hits, len(labels)).double())
            )
        loss_sum, hit_sum, seen = share.add(sums).tolist()
        if not math.isfinite(loss_sum):
            raise Diverged(f"training loss is {loss_sum} in epoch {epoch + 1}")
        return self._protocol.rate((epoch + 1) * steps - 1, steps), loss_sum / seen, hit_sum / seen

    def _piece(self, images: Tensor, labels: Tensor, step: int, piece: int) -> tuple[Tensor, Tensor, Tensor]:
        """Train on a micro-batch; the optimizer steps after the last one of a batch.

        Returns:
            Logits and mean loss, detached, and the labels, all on the device.
        """
        images, labels = self._place(images, labels)
        if piece == 0:
            self._network.set_progress(step / (self._protocol.epochs * self._order.steps))
            self._optimizer.clear()
        heads, last = self._heads, piece == self._order.pieces - 1
        apart = isinstance(heads, DistributedDataParallel) and not last  # gradients are exchanged with the last piece
        with cast("DistributedDataParallel", heads).no_sync() if apart else nullcontext():
            logits, loss, whole = batch_losses(heads, images, labels, self._protocol)
            (whole / self._order.pieces).backward()  # type: ignore[no-untyped-call]
        if last:
            self._update(step)
        return logits.detach(), loss.detach(), labels

    def _update(self, step: int) -> None:
        """Update the weights and their average by the gradients of a whole batch."""
        if self._protocol.clip_norm:
            nn.utils.clip_grad_norm_(self._optimizer.weights, self._protocol.clip_norm)
        self._optimizer.step(self._protocol.rate(step, self._order.steps))
        self._average.update(step)

    def _score(self) -> tuple[float, float, float]:
        """Return mean loss in nats, top-1 and top-5 accuracy of the averaged network on all scored images."""
        network = self._average.network
        self._share.take_from_first(list(network.buffers()))
        sums = torch.zeros(4, dtype=torch.float64, device=self._share.device)  # of losses, top-1 and top-5 hits, images
        with torch.inference_mode():
            for batch in decoded(self._scored):
                images, labels = self._place(*batch)
                with autocast(self._protocol, images.device):
                    logits = network(images)
                loss = functional.cross_entropy(logits.float(), labels, reduction="sum")
                sums += torch.stack(
                    [loss.double(), *top_hits(logits, labels), torch.tensor(len(labels)).to(loss).double()]
                )
        loss_sum, top1, top5, seen = self._share.add(sums).tolist()
        if not math.isfinite(loss_sum):
            raise Diverged(f"loss on the scored images is {loss_sum} after epoch {len(self._epochs) + 1}")
        return loss_sum / seen, top1 / seen, top5 / seen

    def _place(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        layout = torch.channels_last if self._protocol.channels_last else torch.contiguous_format
        place = self._share.device
        return images.to(place, memory_format=layout, non_blocking=True), labels.to(place, non_blocking=True)

    def _write_checkpoint(self) -> None:
        if self._share.process == 0:
            state = {
                "identity": self._identity,
                "network": self._network.state_dict(),
                "average": self._average.network.state_dict(),
                "optimizer": self._optimizer.state(),
                "epochs": [tuple(epoch) for epoch in self._epochs],
                "sessions": self._record["sessions"],
            }
            write_checkpoint(self._job.folder, state)

    def _write_record(self) -> None:
        if self._share.process == 0:
            curves = {name: [getattr(epoch, name) for epoch in self._epochs] for name in Epoch._fields}
            last = self._epochs[-1]._asdict() if self._epochs else {}
            scores = {name: last.get(name) for name in ("val_loss", "top1_acc", "top5_acc")}
            done = {"status": self.status, "epochs": len(self._epochs), **scores, "curves": curves}
            write_record(self._job.folder, {**self._record, **done, "written_at": utc_now()})

    def _tell(self) -> None:
        if self._share.process == 0 and self._epochs and self._job.progress:
            last, of = self._epochs[-1], f"{len(self._epochs)}/{self._protocol.epochs}"
            line = f"epoch {of}  loss {last.train_loss:.4f}  top-1 {last.top1_acc:.4f}  top-5 {last.top5_acc:.4f}"
            tqdm.write(f"{line}  {last.seconds:.1f} s", file=sys.stderr)


def top_hits(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Count top-1 and top-5 hits.

    Args:
        logits: [b, classes].
        labels: int64 [b].

    Returns:
        Number of labels with the largest logit, and number of labels among the five largest logits (all, if there are
        fewer classes), as float64 scalars.
    """
    best = logits.topk(min(5, logits.shape[1]), 1).indices == labels[:, None]
    return best[:, 0].sum().double(), best.any(1).sum().double()


def _build(job: TransferJob, scale: Scale, seeds: Seeds, device: torch.device) -> Network:
    seed_device(device, seeds.weights)
    network = build_cell_network(job.pair, scale, job.protocol.regularization(), skeleton=job.skeleton).to(device)
    return network.to(memory_format=torch.channels_last) if job.protocol.channels_last else network


def _training_batches(
    job: TransferJob, folders: Folders, pixels: int, seed: int, share: Share
) -> tuple[EpochBatches, Batches]:
    images = AugmentedImages(folders.train, training_pipeline(job.protocol, pixels), seed)
    protocol = job.protocol
    piece = protocol.piece(share.processes)
    order = EpochBatches(len(folders.train), protocol.batch_size, piece, seed, share.process, share.processes)
    return order, load_batches(images, order, job.workers, share.device)


def _scored_batches(job: TransferJob, folders: Folders, pixels: int, share: Share) -> Batches:
    images = AugmentedImages(folders.scored, scoring_pipeline(job.protocol, pixels), 0)
    batches = ScoringBatches(len(folders.scored), share.process, share.processes)
    return load_batches(images, batches, job.workers, share.device)


def _identity(job: TransferJob, scale: Scale, folders: Folders) -> dict[str, Any]:
    """Return the values that identify a training; its checkpoint stores them."""
    described = asdict(scale)
    if not scale.stem_filters:  # older checkpoints do not have this field
        del described["stem_filters"]
    return {
        "architecture": f"{job.skeleton} {job.pair}",
        "scale": described,
        "protocol": job.protocol.fingerprint(),
        "data": folders.digest,
        "seed": job.seed,
    }


def _recorded_identity(record: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a record that identify its training; images may have moved to another folder."""
    same = {key: record[key] for key in ("name", "encoding", "size", "skeleton", "protocol", "seed")}
    scale = {key: record["scale"][key] for key in ("image_size", "classes", "stem")}
    return {**same, "scale": scale, "data": {"digest": record["data"]["digest"]}}


def _new_record(job: TransferJob, scale: Scale, folders: Folders) -> dict[str, Any]:
    member = count_member(job.pair, job.size, scale, job.skeleton)
    return {
        "version": RECORD_VERSION,
        "name": job.name,
        "encoding": job.encoding,
        "size": str(job.size),
        "skeleton": job.skeleton,
        "scale": asdict(scale),
        "params": member.counts.params,
        "mult_adds": member.counts.mult_adds,
        "auxiliary_params": member.auxiliary.params if job.protocol.auxiliary_weight else 0,
        "protocol": job.protocol.model_dump(mode="json"),
        "protocol_fingerprint": job.protocol.fingerprint(),
        "data": {
            "path": job.data,
            "digest": folders.digest,
            "classes": len(folders.classes),
            "train_images": len(folders.train),
            "scored_images": len(folders.scored),
        },
        "seed": job.seed,
        "error": "",
        "sessions": [],
    }
