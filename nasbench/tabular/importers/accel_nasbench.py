"""Import of Accel-NASBench: MnasNet-like networks trained on ImageNet, with their performance on six accelerators.

The source is a tar file (or a folder) with a JSON file for each training: `architecture` (block0 to block6, each with
expansion `e`, kernel `k`, layers `l` and squeeze-and-excitation `se`), `metrics` (`val_top1`, `val_top5` in %, `train_time`
in s), `model_info` (`params` and `macs` in millions) and `platform_perf` (metric_platform -> its mean and standard deviation).

Its networks are not built here, so the space is one of choices: per block, in this order, the expansion (1, 4, 6), the kernel
(3, 5), the layers (1, 2, 3; of block 5 also 4), and whether there is squeeze-and-excitation (no, yes).

Source: afzalxo/Accel-NASBench, anb_dataset and configurationspaces/configuration_space_writer.py; Ahmad et al. 2024
(2404.08005).
"""

from __future__ import annotations

import math
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from nasbench.errors import InputError, MissingData, require_regular
from nasbench.spaces import get_space
from nasbench.store.format.quantities import Quantity
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.importer_base import Collector, Group, Imported, ImportSource, fraction
from nasbench.tabular.importers.json_stream import read_json

FORMAT: Final = "accel-nasbench"
BLOCKS: Final = 7
OPTIONS: Final = {"e": (1, 4, 6), "k": (3, 5), "l": (1, 2, 3), "se": (False, True)}
"""Options of each decision of a block, in the order of the decisions."""
DEEPER_BLOCK: Final = 5  # has four layers at most, the others three
_LAYERS: Final = "l"
_MILLION: Final = 1e6
_LARGEST: Final = 1 << 16  # bytes of one JSON file; the real ones have 1,500
_MOST: Final = 1_000_000  # members of the tar file
_MOST_MILLIONS: Final = 1e6
_METRICS: Final = {"latency": ("ms", "lower"), "throughput": ("images/s", "higher")}
PLATFORMS: Final = {
    "latency": ("zcu102", "vck190"),
    "throughput": ("a100", "3090", "tpuv2", "tpuv3", "zcu102", "vck190"),
}
_TOP5: Final = Quantity("val_top5", "fraction", "higher")
_NOTES: Final = (
    "one training a row with the authors' shortened scheme, seed: its repeat from 0; choices of a block: expansion 1, 4, 6; "
    "kernel 3, 5; layers 1, 2, 3 (block 5: 1, 2, 3, 4); squeeze-and-excitation no, yes; params and mult-adds are the published ones"
)


def _options(block: int, name: str) -> tuple[int | bool, ...]:
    options: tuple[int | bool, ...] = OPTIONS[name]
    return (*options, 4) if name == _LAYERS and block == DEEPER_BLOCK else options


SPACE: Final = "choices:" + "/".join(str(len(_options(block, name))) for block in range(BLOCKS) for name in OPTIONS)


@describes(
    About(
        what="Accel-NASBench: MnasNet-like networks trained on ImageNet, and their performance on six accelerators",
        command="accel-nasbench FILE.tar.gz|FOLDER -o OUT.h5",
        licence="Apache-2.0",
        size="1.2 MB, 5,138 trainings of 5,125 networks",
        published="https://github.com/afzalxo/Accel-NASBench",
        has=(
            "validation accuracy (top 1 and 5)",
            "training seconds",
            "throughput on A100, RTX 3090, TPUv2, TPUv3, ZCU102 and VCK190, latency on the last two",
            "parameters, multiply-adds",
        ),
        lacks=("test scores", "curves", "seeds but one", "networks: its space is one of choices"),
        times=True,
    )
)
def import_accel_nasbench(path: str, output: str, take_over: bool = False) -> Imported:
    """Import the data set as a new results file: one child of stage "search" per training.

    Args:
        path: the tar file, plain or compressed, or a folder with the same JSON files.
        output: the new results file, ending in .h5.
        take_over: see `store.lock.ResultsLock`.

    Returns:
        Number of children and runs written, and of missing values.

    Raises:
        MissingData: when the source does not exist or has no JSON files.
        InputError: when a file is not one of Accel-NASBench (the message names it), or the output exists.
        StoreError: when the output cannot be written.
    """
    source, files = _source(Path(path))
    group = Group(SPACE, FORMAT, "imagenet", _NOTES)
    space = get_space(SPACE)
    repeats: Counter[tuple[int, ...]] = Counter()
    with Collector(source) as collector:
        for name, text in files:
            try:
                record = read_json(text)
                choices = _choices(_part(record, "architecture"))
                seed = repeats[tuple(choices)]
                repeats[tuple(choices)] += 1
                measured = _measured(_part(record, "platform_perf"))
                scores = _scores(_part(record, "metrics"), _part(record, "model_info"), measured)
                collector.child(group, space.decode(choices), {**scores, "seed": seed}, measured=measured)
            except InputError as error:
                raise InputError(f"{path}: {name}: {error}") from None
        return collector.write(output, take_over)


def _source(path: Path) -> tuple[ImportSource, Iterator[tuple[str, str]]]:
    if path.is_dir():
        files = sorted(each for each in path.rglob("*.json") if each.is_file())
        if not files:
            raise MissingData(f"{path} has no JSON files, one for each training, as Accel-NASBench has")
        return ImportSource.of_folder(path, files, FORMAT), ((each.name, _text(each)) for each in files)
    return ImportSource.of(path, FORMAT), _members(path)


def _text(file: Path) -> str:
    require_regular(file, "JSON file", "name a folder of Accel-NASBench's files")
    with open(file, "rb") as opened:
        return _decoded(file.name, opened.read(_LARGEST + 1))


def _members(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name and text of the JSON files of a tar file, in their order. Nothing is unpacked to the disk."""
    try:
        with tarfile.open(path, "r|*") as archive:
            for number, member in enumerate(archive):
                if number >= _MOST:
                    raise InputError(f"{path} has more than {_MOST:,} members; it is not Accel-NASBench")
                if not member.isfile() or not member.name.endswith(".json"):
                    continue
                if member.size > _LARGEST:
                    raise InputError(f"{path}: {member.name[-60:]} has {member.size:,} bytes; it is no training")
                opened = archive.extractfile(member)
                assert opened is not None
                name = member.name.rpartition("/")[2]
                yield name, _decoded(name, opened.read())
    except (tarfile.TarError, EOFError, OSError, UnicodeError) as error:
        raise InputError(f"{path} cannot be read as a tar file: {' '.join(str(error).split())}") from None


def _decoded(name: str, content: bytes) -> str:
    if len(content) > _LARGEST:
        raise InputError(f"{name} has more than {_LARGEST:,} bytes; it is no training")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no JSON: {error}") from None


def _part(record: Any, name: str) -> Mapping[str, Any]:
    found = record.get(name) if isinstance(record, dict) else None
    if not isinstance(found, dict):
        raise InputError(f"it has no {name}; it is not one of Accel-NASBench")
    return found


def _choices(stated: Mapping[str, Any]) -> list[int]:
    choices = []
    for block in range(BLOCKS):
        for name in OPTIONS:
            options, value = _options(block, name), stated.get(f"block{block}_{name}")
            kind = bool if name == "se" else int
            if type(value) is not kind or value not in options:
                raise InputError(f"block{block}_{name} is one of {', '.join(map(str, options))}, got {value!r:.40}")
            choices.append(options.index(value))
    return choices


def _measured(stated: Mapping[str, Any]) -> dict[Quantity, float]:
    """Performance by platform; NaN where it was not measured."""
    found = {}
    for metric, platforms in PLATFORMS.items():
        unit, direction = _METRICS[metric]
        for platform in platforms:
            value = stated.get(f"{metric}_{platform}")
            mean = value.get(f"{metric}_mean") if isinstance(value, dict) else value
            number = math.nan if mean is None else _number(f"{metric}_{platform}", mean)
            if number <= 0:
                raise InputError(f"{metric}_{platform} is {number:g}; it is above 0")
            found[Quantity(metric, unit, direction, device=platform)] = number
    return found


def _scores(metrics: Mapping[str, Any], info: Mapping[str, Any], measured: dict[Quantity, float]) -> dict[str, Any]:
    measured[_TOP5] = fraction(_number("val_top5", metrics.get("val_top5")))
    counts = {}
    for ours, theirs in (("params", "params"), ("mult_adds", "macs")):
        millions = _number(theirs, info.get(theirs))
        if not 0 <= millions < _MOST_MILLIONS:
            raise InputError(f"{theirs} is a number of millions, got {millions:g}")
        # There is no closed form beside it, so that it is the count of the architecture, too.
        counts[ours] = counts[f"published_{ours}"] = round(millions * _MILLION)
    return {
        "val_acc": fraction(_number("val_top1", metrics.get("val_top1"))),
        "train_seconds": _number("train_time", metrics.get("train_time")),
        **counts,
    }


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{name} is a number, got {value!r:.40}")
    return float(value)
