"""`nasbench transfer`: a pair of cells as a family of networks: counts beside those in papers, and training."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.architectures import Found, find_structure
from nasbench.cli.options import all_protocol_names, completing, pairs, print_table, say_what_is_slow, set_option
from nasbench.cli.output import coloured, is_quiet, say
from nasbench.errors import InputError, MissingData, UnknownName

if TYPE_CHECKING:
    from nasbench.protocols.protocol import Protocol
    from nasbench.structures import Scale
    from nasbench.transfer.family import Member, Size
    from nasbench.transfer.protocol import TransferProtocol

RESIDENT = {"cifar10": 10, "cifar100": 100}  # data set -> number of classes
IMAGENET_CLASSES = 1000
MOST_WORKERS = 8


@click.command()
@click.argument("what")
@click.argument("files", nargs=-1)
@click.option("--sizes", required=True, metavar="N@F,...", help="N cells per stage and F filters, as described above.")
@click.option(
    "--data",
    default="imagenet",
    show_default=True,
    help="imagenet (in $NASBENCH_DATA/imagenet), folder:PATH, cifar10 or cifar100.",
)
@click.option(
    "--pixels",
    type=click.IntRange(1),
    help="Image size [from F = 128 331, below 224; CIFAR 32; folders of images up to 64 pixels: their own].",
)
@click.option("--train", is_flag=True, help="Also train each network.")
@click.option(
    "--protocol",
    default=None,
    shell_complete=completing(all_protocol_names),
    help="With --train: any protocol [nasnet-imagenet-large or -mobile; nasnet-cifar].",
)
@set_option
@click.option(
    "--seed", default=0, type=click.IntRange(0), show_default=True, help="Seed of weights, order and augmentation."
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:0, ...")
@click.option(
    "--processes", default=1, type=click.IntRange(1), show_default=True, help="Devices that train one network together."
)
@click.option(
    "--workers",
    default=None,
    type=click.IntRange(0),
    help="Decoding processes for each device [processors / devices, at most 8].",
)
@click.option(
    "-o", "--output", default="transfer", show_default=True, type=click.Path(file_okay=False), help="Folder of results."
)
def transfer(
    what: str,
    files: Sequence[str],
    sizes: str,
    data: str,
    pixels: int | None,
    train: bool,
    protocol: str | None,
    set_: Sequence[str],
    seed: int,
    device: str,
    processes: int,
    workers: int | None,
    output: str,
) -> None:
    """Count parameters and multiply-adds of an architecture's cells in networks of any size; --train trains them.

    WHAT is a hash or its first digits (found in FILES, or in results/*.h5), a published architecture such as nasnet-a,
    or JSON as `nasbench show` prints it. Sizes are written as the cells' own paper does: in N@F, F is the filters
    before the classifier, as in NASNet's 6@4032, but for amoebanet-a and architectures of the space amoebanet the
    initial filters, as in AmoebaNet's 6@190. In N/F it is the initial filters for all cells: 6/168 is NASNet's 6@4032.
    AmoebaNet's ImageNet stem has 32 filters at every F. Networks for images of at most 64 pixels have the CIFAR stem.
    The protocols nasnet-imagenet-large and -mobile read images in folders as they train and write a checkpoint after
    each epoch: the same command goes on from it. Their batch is made smaller for fewer than 16,000 images, and a line
    says so. All other protocols (nasbench protocols) hold the images in memory. The learning rate is for the
    protocol's batch_size: with --set batch_size=... set learning_rate, too.

    \b
    Example:
      nasbench transfer nasnet-a --sizes 4@1056,6@4032
      nasbench transfer amoebanet-a --sizes 6@190,6@448
      nasbench transfer nasnet-a --sizes 6@768 --data cifar10 --train --device cuda -o results/transfer
      nasbench transfer 1f3a9c demo.h5 --sizes 4@1056 --data folder:/data/imagenet --train --device cuda --processes 8 --workers 12
    """
    from nasbench.data.source_options import parse_source
    from nasbench.protocols.protocol import PROTOCOLS
    from nasbench.structures import CellPair
    from nasbench.transfer.family import count_member, parse_sizes

    found = find_structure(what, files)
    if not isinstance(found.structure, CellPair):
        raise InputError(
            f"{found.name} has no cells to repeat at other sizes (it is a {type(found.structure).__name__})"
        )
    changes = pairs(set_, "--set")
    if not train and (protocol is not None or changes):
        raise InputError("--protocol and --set say how to train: add --train")
    kind, path = _data(data)
    in_memory = kind in RESIDENT or (kind == "folder" and protocol in PROTOCOLS)
    if kind == "folder":
        data, pixels = _sized(data, path, pixels, in_memory)
        path = parse_source(data.partition(":")[2], "folder").path
    chosen = {
        size: _resident_protocol(size, data, protocol, changes) if train and in_memory else None
        for size in parse_sizes(sizes, found.name, found.structure, found.skeleton, found.family)
    }
    family = [
        count_member(found.structure, size, _scale(kind, data, path, size, pixels, resident), found.skeleton)
        for size, resident in chosen.items()
    ]
    if _speaks():
        _print_counts(found.name, family)
    for member in family if train else ():
        folder = Path(output) / f"{found.name}-{member.size}"
        if (resident := chosen[member.size]) is not None:
            _train_resident(found, member, resident, seed, device, processes, folder)
        else:
            _train_folder(found, member, path, pixels, protocol, changes, seed, device, processes, workers, folder)


def _speaks() -> bool:
    """Whether this process prints; torchrun runs the command in several processes, numbered by RANK."""
    return os.environ.get("RANK", "0") == "0"  # as `transfer.parallel.first_of_all`, which needs torch


def _data(text: str) -> tuple[str, Path]:
    """Kind of data, and the path for images in folders."""
    kind, colon, path = text.partition(":")
    if kind in RESIDENT and not colon:
        return kind, Path()
    if kind == "folder" and path:
        return kind, Path(path).expanduser()
    if kind == "imagenet" and not colon:
        from nasbench.data.cache import data_root

        return kind, data_root() / "imagenet"
    raise UnknownName("data", text, ["imagenet", "folder:PATH", *RESIDENT])


def _sized(data: str, path: Path, pixels: int | None, in_memory: bool) -> tuple[str, int | None]:
    """Text and side of images in folders; a side that is not given is that of the first image if it is small."""
    from nasbench.data.source_options import parse_source
    from nasbench.transfer.family import CIFAR_PIXELS, SMALL_PIXELS

    source = parse_source(data.partition(":")[2], "folder")
    others = source.options.model_fields_set - {"size"}
    if others and not in_memory:
        raise InputError(
            f"the option {sorted(others)[0]}= of {data!r} needs a protocol that holds the images in memory, "
            "e.g. --protocol images"
        )
    if pixels and source.options.size and pixels != source.options.size:
        raise InputError(f"--pixels {pixels} and size={source.options.size} of {data!r} differ: give one of them")
    pixels = pixels or source.options.size or None
    if pixels is None and (side := _first_side(source.path)) is not None:
        pixels = side if side <= SMALL_PIXELS else (CIFAR_PIXELS if in_memory else None)
    if in_memory and pixels and not source.options.size:
        data = f"{data},size={pixels}"
    return data, pixels


def _first_side(path: Path) -> int | None:
    """Shorter side of the first training image that can be opened, in pixels; None without one."""
    from PIL import Image

    from nasbench.data.image_files import DECODING_ERRORS, is_hidden, readable_endings

    for file in sorted((path / "train").glob("*/*")):
        if file.suffix.lower() in readable_endings() and not any(map(is_hidden, (file.name, file.parent.name))):
            try:
                with Image.open(file) as image:
                    return min(image.size)
            except (*DECODING_ERRORS, Image.DecompressionBombError):  # reading the data reports it
                return None
    return None


def _scale(kind: str, data: str, path: Path, size: Size, pixels: int | None, resident: Protocol | None) -> Scale:
    """Scale of the networks: with the protocol of a training in memory that of its networks, whose stem it may set."""
    from nasbench.transfer.family import CIFAR_PIXELS, cifar_scale, folder_scale, imagenet_scale

    if kind in RESIDENT:
        if pixels not in (None, CIFAR_PIXELS):
            raise InputError(f"the images of {kind} have {CIFAR_PIXELS} pixels, got --pixels {pixels}")
        classes = RESIDENT[kind]
        return cifar_scale(size, classes) if resident is None else resident.scale(CIFAR_PIXELS, 3, classes)
    if resident is not None:
        from nasbench.data import load_data

        images = load_data(data)
        return resident.scale(images.size, images.channels, len(images.classes))
    if kind == "imagenet":
        return imagenet_scale(size, IMAGENET_CLASSES, pixels)
    return folder_scale(size, _classes(path), pixels)


def _classes(path: Path) -> int:
    """Number of classes in a folder of images, without torch."""
    train = path / "train"
    if not train.is_dir():
        raise MissingData(
            f"no folder {str(train)!r}; {str(path)!r} should hold train/<class>/<image> and val/<class>/<image>"
        )
    classes = sum(entry.is_dir() for entry in train.iterdir())
    if classes < 2:
        raise InputError(f"{str(train)!r} has {classes} class folder(s); it needs at least 2")
    return classes


def _print_counts(name: str, family: Sequence[Member]) -> None:
    from nasbench.tabular.published import published
    from nasbench.transfer.family import published_row

    networks, rows = published(), []
    for member in family:
        row = published_row(networks, name, member)
        printed = (
            ("", "", "") if row is None else (_millions(row.params), _millions(row.mult_adds), _score(row.top1_acc))
        )
        scale, counts = member.scale, member.counts
        own = (
            str(member.size),
            scale.filters,
            scale.image_size,
            scale.classes,
            f"{counts.params:,}",
            f"{counts.mult_adds:,}",
        )
        rows.append((*own, f"{member.auxiliary.params:,}", *printed, "" if row is None else row.model))
    head = ("size", "F", "pixels", "classes", "params", "mult-adds", "auxiliary params")
    print_table((*head, "printed params", "printed mult-adds", "printed top-1", "published as"), rows)


def _millions(value: float) -> str:
    return "" if math.isnan(value) else f"{value / 1e6:,.1f}M"


def _score(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}"


def _train_folder(
    found: Found,
    member: Member,
    path: Path,
    pixels: int | None,
    protocol: str | None,
    changes: dict[str, str],
    seed: int,
    device: str,
    processes: int,
    workers: int | None,
    folder: Path,
) -> None:
    from nasbench.runners.signals import explained
    from nasbench.transfer.checkpoint import RECORD
    from nasbench.transfer.fitting import fit_batch
    from nasbench.transfer.images import open_folders
    from nasbench.transfer.parallel import process_count
    from nasbench.transfer.training import TransferJob, check_job, train_transfer

    like = "nasnet-imagenet-large" if member.scale.skip_reduction_input else "nasnet-imagenet-mobile"
    chosen = _transfer_protocol(protocol or like, changes)
    encoding = "" if found.architecture is None else found.architecture.to_json()
    count = process_count(processes)
    chosen, line = fit_batch(chosen, len(open_folders(path).train), count, changes)
    if line and _speaks():
        say(line, err=True)
    if workers is None:
        workers = min(MOST_WORKERS, (os.cpu_count() or 1) // count)
    job = TransferJob(
        found.name,
        encoding,
        found.structure,
        found.skeleton,
        member.size,
        pixels,
        str(path),
        chosen,
        seed,
        workers,
        folder,
        progress=not is_quiet(),
    )
    check_job(job, count)
    if _speaks():
        say_what_is_slow([(chosen.precision, [device])])
    try:
        train_transfer(job, device, count)
    except KeyboardInterrupt as interrupt:
        click.echo(f"stopped; the same command goes on from the last complete epoch in {folder}", err=True)
        raise explained(interrupt) from None
    if _speaks():
        record = json.loads((folder / RECORD).read_text())
        _print_outcome(record, ("val_loss", "top1_acc", "top5_acc"), folder)


def _transfer_protocol(name: str, changes: dict[str, str]) -> TransferProtocol:
    from nasbench.cli.options import all_protocol_names
    from nasbench.transfer.protocol import TRANSFER_PROTOCOLS, get_transfer_protocol

    if name not in TRANSFER_PROTOCOLS:
        raise UnknownName("transfer protocol", name, all_protocol_names())
    return get_transfer_protocol(name, changes)


def _resident_protocol(size: Size, data: str, protocol: str | None, changes: dict[str, str]) -> Protocol:
    """Protocol of a training on data in memory, with the data and the size of the network."""
    from nasbench.protocols.protocol import get_protocol

    if clash := sorted({"data", "cells", "filters"} & changes.keys()):
        raise InputError(f"--set {clash[0]}: data, cells and filters come from --data and --sizes")
    scale = {"data": data, "cells": size.cells, "filters": size.filters}
    return get_protocol(protocol or "nasnet-cifar", {**changes, **scale})


def _train_resident(
    found: Found,
    member: Member,
    protocol: Protocol,
    seed: int,
    device: str,
    processes: int,
    folder: Path,
) -> None:
    from nasbench.data.fitting import fitted, fitting_in_a_line
    from nasbench.training.evaluate import checked_data
    from nasbench.transfer.resident import train_resident

    if processes > 1:
        raise InputError(f"{protocol.data} is trained on one device, got --processes {processes}")
    images = checked_data(protocol, device)
    if line := fitting_in_a_line(protocol, images):
        say(line, err=True)
    chosen = fitted(protocol, images)
    say_what_is_slow([(chosen.precision, [device])])
    about = {"name": found.name, "size": str(member.size), "skeleton": found.skeleton}
    about["encoding"] = "" if found.architecture is None else found.architecture.to_json()
    record = train_resident(found.structure, found.skeleton, chosen, seed, device, folder, about)
    _print_outcome(record, ("val_acc", "test_loss", "test_acc"), folder)


def _print_outcome(record: dict[str, Any], scores: tuple[str, ...], folder: Path) -> None:
    click.echo()
    own = (record["name"], record["size"], record["status"], record["epochs"])
    print_table(
        ("name", "size", "status", "epochs", *scores, "record"),
        [
            (
                *own,
                *(math.nan if record[score] is None else record[score] for score in scores),
                str(folder / "record.json"),
            )
        ],
    )
    if record["error"]:
        click.echo(f"{coloured('note:', 'warning')} {record['error']}", err=True)
