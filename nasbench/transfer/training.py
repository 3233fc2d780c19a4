"""Training of one network on images in folders: any number of devices, resumable after each epoch, the same bits every time.

BatchNorm sees `replica_batch` images at once, never those of other processes, as the replicas of the released code do; SyncBatchNorm
is not used. The running statistics are those of the first process.
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
from nasbench.transfer.average import AveragedNetwork
from nasbench.transfer.checkpoint import read_checkpoint, write_checkpoint, write_record
from nasbench.transfer.family import Size, count_member, imagenet_scale
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
from nasbench.transfer.parallel import Share, run_shares
from nasbench.transfer.protocol import TransferProtocol

RECORD_VERSION = 1

Status = Literal["running", "ok", "diverged"]


@dataclass(frozen=True)
class TransferJob:
    """One network to train on images in folders.

    Args:
        name: of the architecture: a genotype's name or the start of a hash.
        encoding: the architecture as JSON; "" for a genotype.
        pair: its cells.
        skeleton: name of the stacking rule.
        size: N and F.
        pixels: image size; None for that of the size.
        data: folder with train/ and val/.
        protocol: the training protocol.
        seed: of weights, order, augmentation, dropout and drop-path, >= 0.
        workers: decoding processes for each training process; changes no result.
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
    """The numbers of one epoch: losses in nats, accuracies in [0, 1], of the averaged weights where they are of scored images.

    `train_loss` is smoothed as the protocol says and without the auxiliary head's; `learning_rate` is that of the last step.
    """

    learning_rate: float
    train_loss: float
    train_acc: float
    val_loss: float
    top1_acc: float
    top5_acc: float
    seconds: float


def train_transfer(job: TransferJob, device: str = "cpu", processes: int = 1) -> None:
    """Train a network, or go on with a training that was stopped; its numbers are in the folder's record.json.

    After each epoch the checkpoint is replaced, so that a training stopped at any moment (Ctrl-C, a crash, a power cut) goes on from
    its last complete epoch with the same call, and ends with the same bits as one that was never stopped, on the same machine and
    with the same number of processes. No choice is made by the scored images: the numbers to report are those of the last epoch.

    Args:
        job: the training job.
        device: "cpu", "cuda" (process i gets the i-th) or, with one process, "cuda:1".
        processes: number of processes that train together, each on an equal part of each batch.

    Raises:
        MissingData: when the folder's images are not there.
        InputError: when data, batch or device do not fit, or the folder holds another training.
    """
    check_job(job, processes)
    job.folder.mkdir(parents=True, exist_ok=True)
    run_shares(_work, job, device, processes)


def check_job(job: TransferJob, processes: int) -> None:
    """Refuse a training that cannot start, before anything is written.

    Raises:
        MissingData: when the folder's images are not there.
        InputError: when data or batch do not fit.
    """
    check_batch(job.protocol, len(open_folders(job.data).train), processes)


def check_batch(protocol: TransferProtocol, images: int, processes: int) -> None:
    """Refuse batches that cannot be cut.

    Raises:
        InputError: when a batch has more images than there are, is not cut evenly, or comes in pieces of one image.
    """
    size = protocol.batch_size
    if size > images:
        raise InputError(f"batch_size={size}, but there are {images} training images; use --set batch_size={images}")
    if size % processes:
        raise InputError(f"batch_size={size} is no multiple of {processes} processes")
    piece = protocol.piece(processes)
    if piece < 2:
        raise InputError(
            f"batch_size={size} and replica_batch={protocol.replica_batch} show BatchNorm 1 image at once, with "
            f"{processes} process(es); it needs 2 or more"
        )
    if size // processes % piece:
        raise InputError(
            f"each of {processes} process(es) gets {size // processes} images of batch_size={size}, which is no multiple of "
            f"replica_batch={protocol.replica_batch}"
        )


def _work(share: Share, job: TransferJob) -> None:
    """Train in one of the processes."""
    folders = open_folders(job.data)
    with reproducible(share.device, job.protocol.threads):
        session = _Session(job, folders, share)
        session.resume()
        while session.status == "running":
            session.advance()


class Heads(nn.Module):
    """The network as a module whose call gives both heads' logits: what DistributedDataParallel wraps."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map images [b, 3, pixels, pixels] to logits [b, classes] and the auxiliary head's, or None."""
        return self.network.forward_with_auxiliary(images)


def shared_heads(network: Network, share: Share, pixels: int) -> nn.Module:
    """The heads of a network for images of so many pixels; with several processes their gradients are the mean over all processes."""
    heads = Heads(network)
    if share.processes == 1:
        return heads
    devices = [share.device] if share.device.type == "cuda" else None
    unused = leaves_weights_unused(network, torch.zeros(2, 3, pixels, pixels, device=share.device))
    return DistributedDataParallel(heads, device_ids=devices, find_unused_parameters=unused)


def leaves_weights_unused(network: Network, images: Tensor) -> bool:
    """True if some weights get no gradient, e.g. those of a cell whose output is not read; tested on a copy."""
    twin = copy.deepcopy(network).train()
    sums = [logits.sum() for logits in twin.forward_with_auxiliary(images) if logits is not None]
    torch.stack(sums).sum().backward()  # type: ignore[no-untyped-call]
    return any(weight.grad is None for weight in twin.parameters())


def batch_losses(
    heads: nn.Module, images: Tensor, labels: Tensor, protocol: TransferProtocol
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits [b, classes], the main head's mean loss in nats, and the loss to go down: with the auxiliary head's, weighted."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=protocol.precision == "bfloat16"):
        logits, auxiliary = heads(images)
    smoothing = protocol.label_smoothing
    loss = functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
    if auxiliary is None:
        return logits, loss, loss
    extra = functional.cross_entropy(auxiliary.float(), labels, label_smoothing=smoothing)
    return logits, loss, loss + protocol.auxiliary_weight * extra


class _Session:
    """Network, optimizer, images and numbers of one training in one process."""

    def __init__(self, job: TransferJob, folders: Folders, share: Share) -> None:
        self._job, self._share, self._protocol = job, share, job.protocol
        self._scale = imagenet_scale(job.size, len(folders.classes), job.pixels)
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
        """Go on from the checkpoint, if there is one, and note that a session begins."""
        state = read_checkpoint(self._job.folder, self._identity, self._share.device)
        if state is not None:
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
        """Train and score one epoch and write it down."""
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
        """One pass: last learning rate, mean loss and accuracy on the way."""
        share, epoch, steps = self._share, len(self._epochs), self._order.steps
        # Seeded an epoch, so that a checkpoint needs no generator's state and each process draws its own dropout.
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
        """One micro-batch; the optimizer steps on the last one. Returns logits and mean loss, detached, and labels on the device used."""
        images, labels = self._place(images, labels)
        if piece == 0:
            self._network.set_progress(step / (self._protocol.epochs * self._order.steps))
            self._optimizer.clear()
        heads, last = self._heads, piece == self._order.pieces - 1
        apart = isinstance(heads, DistributedDataParallel) and not last  # gradients travel with the last piece
        with cast("DistributedDataParallel", heads).no_sync() if apart else nullcontext():
            logits, loss, whole = batch_losses(heads, images, labels, self._protocol)
            (whole / self._order.pieces).backward()  # type: ignore[no-untyped-call]
        if last:
            self._update(step)
        return logits.detach(), loss.detach(), labels

    def _update(self, step: int) -> None:
        """Change the weights by the gradients of a whole step."""
        if self._protocol.clip_norm:
            nn.utils.clip_grad_norm_(self._optimizer.weights, self._protocol.clip_norm)
        self._optimizer.step(self._protocol.rate(step, self._order.steps))
        self._average.update(step)

    def _score(self) -> tuple[float, float, float]:
        """Mean loss in nats, top-1 and top-5 accuracy of the averaged weights on all scored images."""
        network = self._average.network
        self._share.take_from_first(list(network.buffers()))
        sums = torch.zeros(4, dtype=torch.float64, device=self._share.device)  # of losses, top-1 and top-5 hits, images
        with torch.inference_mode():
            for batch in decoded(self._scored):
                images, labels = self._place(*batch)
                with torch.autocast(images.device.type, torch.bfloat16, enabled=self._protocol.precision == "bfloat16"):
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
    """Number of labels with the largest logit, and among the five largest (or all, if fewer), of logits [b, classes]; float64 scalars."""
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
    """Identity of a training, as values stored in its checkpoint; equal values mean the same training."""
    described = asdict(scale)
    if not scale.stem_filters:  # checkpoints from before scales had it go on
        del described["stem_filters"]
    return {
        "architecture": f"{job.skeleton} {job.pair}",
        "scale": described,
        "protocol": job.protocol.fingerprint(),
        "data": folders.digest,
        "seed": job.seed,
    }


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
