"""Import of NAS-Bench-Suite-Zero: zero-cost proxies of untrained networks as NASLib computed them, and accuracies.

Two forms are read: the zip with a folder per proxy (see `naslib_blocks`), and one JSON object per space:
{"nasbench201": {"cifar10": {"(4, 3, 3, 3, 2, 3)": {"synflow": .., "val_accuracy": %, ..}}}}.

Architectures are written in NASLib's own numbers. NAS-Bench-201 and TransNAS-Bench-101 have 0 skip, 1 none, 2 3x3
convolution, 3 1x1 convolution, 4 average pool, of the edges 1<-0, 2<-0, 3<-0, 2<-1, 3<-1, 3<-2; NAS-Bench-101 has the matrix
row by row and 0 input, 1 output, 2 max pool, 3 1x1 convolution, 4 3x3 convolution; NAS-Bench-301 has DARTS's pairs.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from nasbench.errors import InputError
from nasbench.scores import HIGHER, LOWER
from nasbench.spaces import Architecture, get_space
from nasbench.spaces.edge_graphs import EDGES
from nasbench.store.format.quantities import Quantity
from nasbench.structures import Scale
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.importer_base import UNKNOWN, Collector, Group, Imported, ImportSource, fraction
from nasbench.tabular.importers.json_stream import read_json
from nasbench.tabular.importers.naslib_blocks import UNDEFINED, number_of, read_blocks
from nasbench.tabular.importers.transnas import TASKS
from nasbench.tabular.nasbench201_networks import network_counts

FORMAT: Final = "nasbench-suite-zero"
PROTOCOL: Final = "nasbench-suite-zero"
METHOD: Final = "NASLib"
PROXIES: Final = (
    *("epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params", "plain", "snip"),
    *("synflow", "zen"),
)
_SPACES: Final = {
    "nasbench101": "nasbench101",
    "nasbench201": "nasbench201",
    "nasbench301": "darts",
    "transbench101_micro": "transnas-micro",
}
_ACCURACY: Final = "val_accuracy"
_EDGES: Final = ((1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2))  # in NASLib's order
_OPERATIONS: Final = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_VERTICES: Final = 7
_VERTEX_OPERATIONS: Final = {2: "maxpool3x3", 3: "conv1x1-bn-relu", 4: "conv3x3-bn-relu"}
_NUMBERS: Final = re.compile(r"[\[(]\s*\d(?:\s*,\s*\d)*\s*,?\s*[\])]")
_LARGEST: Final = 256 << 20  # bytes of a JSON file; the published ones have less than 1 MB to 100 MB
_LONGEST: Final = 2_000  # characters of an architecture
_MILLION: Final = 1e6
_NOTES: Final = (
    "proxies are those of NASLib's code on the untrained network, one minibatch and seed; flops are NASLib's count in "
    "millions; {accuracy}"
)
_TRAINED: Final = "val_acc is NASLib's val_accuracy, one training or a mean over seeds, of unknown seed"
_PREDICTED: Final = "val_acc is the prediction of NAS-Bench-301's surrogate model, and no training"


@dataclass
class _Row:
    """What the source says of one architecture: its accuracy in %, and proxy -> (value, seconds)."""

    accuracy: float
    proxies: dict[str, tuple[float, float]] = field(default_factory=dict)


Rows = dict[tuple[str, str], dict[str, _Row]]
"""(space, data set) -> architecture as written -> row."""


@describes(
    About(
        what="NAS-Bench-Suite-Zero: 13 zero-cost proxies of NAS-Bench-101, 201 and 301 and TransNAS-Bench-101 (micro)",
        command="suite-zero FILE.zip|FILE.json -o OUT.h5",
        licence="Apache-2.0",
        size="1.0 MB as zip (1,770 rows of three spaces and data sets), 0.2 to 0.5 MB as JSON (500 rows a data set)",
        published="https://github.com/automl/NASLib (branch zerocost)",
        has=("13 proxies with their seconds (JSON: 11, without)", "validation accuracy", "parameters"),
        lacks=("test accuracy", "seeds", "multiply-adds as this suite counts them, but for known networks"),
        times=False,
    )
)
def import_suite_zero(path: str, output: str, take_over: bool = False) -> Imported:
    """Import the file as a new results file: one run per space and data set, the proxies as measurements.

    Args:
        path: the zip or JSON file.
        output: the new results file, ending in .h5.
        take_over: see `store.lock.ResultsLock`.

    Returns:
        Number of children and runs written, and of missing values.

    Raises:
        MissingData: when the file does not exist or has no architectures.
        InputError: when it is no such file (the message names the architecture), files of the zip disagree, or the output
            exists.
        StoreError: when the output cannot be written.

    Source: Krishnakumar et al. 2022, "NAS-Bench-Suite-Zero: Accelerating Research on Zero Cost Proxies" (2210.03230).
    """
    source = ImportSource.of(path, FORMAT)
    undefined: Counter[str] = Counter()
    with Collector(source) as collector:
        for (space, data), rows in (_of_json(path) if path.endswith(".json") else _of_zip(path)).items():
            group = _group(path, space, data)
            for text, row in rows.items():
                try:
                    architecture = read_architecture(space, text)
                    scores, measured = _values(row, undefined)
                    scores |= _counts(architecture, space, group.data)
                    collector.child(group, architecture, scores, measured=measured)
                except InputError as error:
                    raise InputError(f"{path}: {space}, {data}: {text[:60]!r}: {error}") from None
        done = collector.write(output, take_over)
    return replace(done, remarks=[*done.remarks, *_remarks(undefined)])


def read_architecture(space: str, text: str) -> Architecture:
    """Read an architecture in NASLib's numbers.

    Args:
        space: NASLib's name of the space.
        text: the numbers in brackets.

    Returns:
        The architecture.

    Raises:
        InputError: when the text is something else.
    """
    if len(text) > _LONGEST:
        raise InputError(f"an architecture has at most {_LONGEST:,} characters")
    if space == "nasbench301":
        known: Any = get_space(_SPACES[space])
        architecture: Architecture = known.parse(text)
        return architecture
    if _NUMBERS.fullmatch(text.strip()) is None:
        raise InputError("an architecture is written as numbers in brackets, e.g. (4, 3, 3, 3, 2, 3)")
    return _DECODERS[space](ast.literal_eval(text.strip()))


def _of_edges(name: str) -> Callable[[tuple[int, ...]], Architecture]:
    def decode(numbers: tuple[int, ...]) -> Architecture:
        space = get_space(name)
        labels = space.decisions[0].labels
        if len(numbers) != len(_EDGES) or not set(numbers) <= set(range(len(labels))):
            raise InputError(f"a cell has {len(_EDGES)} numbers of 0 to {len(labels) - 1}")
        named = {edge: _OPERATIONS[number] for edge, number in zip(_EDGES, numbers)}
        return space.decode([labels.index(named[edge]) for edge in EDGES])

    return decode


def _of_matrix(numbers: tuple[int, ...]) -> Architecture:
    space: Any = get_space("nasbench101")
    size = _VERTICES
    cells, operations = numbers[: size * size], numbers[size * size :]
    inner = operations[1:-1]
    if (
        len(operations) != size
        or (operations[0], operations[-1]) != (0, 1)
        or not set(inner) <= set(_VERTEX_OPERATIONS)
    ):
        raise InputError(
            f"a cell of NAS-Bench-101 has {size * size} numbers of its matrix, then 0, five of 2 to 4, and 1; got "
            f"{len(numbers)} numbers"
        )
    matrix = [list(cells[row * size : (row + 1) * size]) for row in range(size)]
    architecture: Architecture = space.from_matrix(
        matrix, ["input", *(_VERTEX_OPERATIONS[number] for number in inner), "output"]
    )
    return architecture


_DECODERS: Final[Mapping[str, Callable[[tuple[int, ...]], Architecture]]] = {
    "nasbench101": _of_matrix,
    "nasbench201": _of_edges("nasbench201"),
    "transbench101_micro": _of_edges("transnas-micro"),
}


def _of_zip(path: str) -> Rows:
    """Join the files of all proxies by the architecture."""
    rows: Rows = {}
    for block, records in read_blocks(path):
        if block.proxy not in PROXIES:
            raise InputError(f"{path}: {block.name} has no proxy of NAS-Bench-Suite-Zero: {', '.join(PROXIES)}")
        mine = rows.setdefault((block.space, block.data), {})
        for number, record in enumerate(records):
            row = mine.setdefault(record.architecture, _Row(record.accuracy))
            same = row.accuracy == record.accuracy or (math.isnan(row.accuracy) and math.isnan(record.accuracy))
            if block.proxy in row.proxies or not same:
                what = (
                    "is there twice" if block.proxy in row.proxies else "has another val_accuracy than in other files"
                )
                raise InputError(f"{path}: {block.name}: record {number}: {record.architecture[:60]!r} {what}")
            row.proxies[block.proxy] = record.score, record.seconds
    return rows


def _of_json(path: str) -> Rows:
    size = Path(path).stat().st_size
    if size > _LARGEST:
        raise InputError(f"{path} has {size:,} bytes; such a file has at most {_LARGEST:,}")
    try:
        found = read_json(Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise InputError(f"{path} is no JSON in UTF-8") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    rows: Rows = {}
    for space, sets in _object(path, found, "").items():
        for data, architectures in _object(path, sets, space).items():
            mine = rows.setdefault((space, data), {})
            for text, values in _object(path, architectures, f"{space}, {data}").items():
                where = f"{space}, {data}, {text[:60]!r}"
                values = _object(path, values, where)
                unknown = sorted(set(values) - {*PROXIES, _ACCURACY})
                if unknown:
                    raise InputError(f"{path}: {where}: no proxy {unknown[0]!r:.40}; there are {', '.join(PROXIES)}")
                try:
                    proxies = {name: (number_of(values, name), math.nan) for name in values if name != _ACCURACY}
                    mine[text] = _Row(number_of(values, _ACCURACY), proxies)
                except InputError as error:
                    raise InputError(f"{path}: {where}: {error}") from None
    return rows


def _object(path: str, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        place = f" at {where}" if where else ""
        raise InputError(f"{path} is no file of NAS-Bench-Suite-Zero: no object{place}, got {value!r:.60}")
    return value


def _group(path: str, space: str, data: str) -> Group:
    if space not in _SPACES:
        raise InputError(f"{path}: NASLib's space {space[:40]!r} cannot be imported; there are {', '.join(_SPACES)}")
    if space == "transbench101_micro" and data in TASKS:
        raise InputError(
            f"{path}: architectures of {space} on {data} are in numbers of their own; nasbench import transnas reads its "
            "zen files"
        )
    predicted = space == "nasbench301" and data == "cifar10"
    notes = _NOTES.format(accuracy=_PREDICTED if predicted else _TRAINED)
    return Group(_SPACES[space], PROTOCOL, data.lower(), notes)


def _values(row: _Row, undefined: Counter[str]) -> tuple[dict[str, Any], dict[Quantity, float]]:
    scores: dict[str, Any] = {"val_acc": fraction(row.accuracy), "seed": UNKNOWN}
    measured: dict[Quantity, float] = {}
    for name, (value, seconds) in row.proxies.items():
        if value == UNDEFINED:
            undefined[name] += 1
            value = math.nan
        if name == "params":
            scores["published_params"] = UNKNOWN if math.isnan(value) else round(value * _MILLION)
        elif name == "flops":
            measured[Quantity("flops", "M", LOWER, method=METHOD)] = value
        else:
            measured[Quantity(name, "", HIGHER, method=METHOD)] = value
        if not math.isnan(seconds):
            measured[Quantity(f"{name}_seconds", "s", LOWER, method=METHOD)] = seconds
    return scores, measured


def _counts(architecture: Architecture, space: str, data: str) -> dict[str, int]:
    """Closed-form counts, where the network that was scored is known."""
    if space == "nasbench101":
        counts = architecture.space.count(architecture, Scale(cells=3, filters=128))
    elif space == "nasbench201" and (found := network_counts(architecture, data)) is not None:
        counts = found
    else:
        return {}
    return {"params": counts.params, "mult_adds": counts.mult_adds}


def _remarks(undefined: Mapping[str, int]) -> list[str]:
    if not undefined:
        return []
    counted = ", ".join(f"{name} of {count:,}" for name, count in sorted(undefined.items()))
    return [f"missing because the source has {UNDEFINED:g}, its mark of an undefined proxy: {counted}"]
