"""Import of measured latencies of the NAS-Bench-201 cells by official index, one file for each device.

A file is a list of 15,625 numbers, milliseconds, that `torch.save` wrote; its name says the device and, for GPUs, the batch:
nb201_pixel3.pt, nb201_titan_rtx_256.pt. They go to the table of measurements, one row for each cell as it was built: cells
of one hash may have several latencies, because layers that reach nothing take time, too.

Source: HayeonLee/HELP, data/nasbench201/latency; Lee et al. 2021 (2106.08630). Those of pixel3, raspi4, eyeriss and fpga are
of HW-NAS-Bench, Li et al. 2021 (2103.10584).
"""

from __future__ import annotations

import json
import math
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from nasbench.errors import InputError
from nasbench.spaces import Architecture, get_space
from nasbench.spaces.nasbench201 import NasBench201Space
from nasbench.store.format.columns import Numbers
from nasbench.store.format.quantities import Quantity
from nasbench.store.format.rows import unmeasured
from nasbench.store.measured import FLAGGED
from nasbench.store.query import Results
from nasbench.store.writer import ResultsWriter
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.importer_base import Imported, ImportSource
from nasbench.tabular.importers.plain_pickle import PlainPickle

FORMAT: Final = "hw-latency"
LATENCY: Final = "latency"
_SPACE: Final = "nasbench201"
_LARGEST: Final = 64 << 20  # bytes of a file
_NAME: Final = re.compile(r"(?:nb201_|nasbench201_)?(?P<device>.+?)(?:_(?P<batch>1|16|32|64|128|256))?\.pt")
CONSTANT_SHARE: Final = 0.1
"""A cell whose output does not depend on its input is flagged below this share of the device's median."""
ANY_SHARE: Final = 0.01
"""Any other cell is flagged below this share of the device's median."""

Row = dict[str, Any]


@describes(
    About(
        what="measured latencies of the 15,625 NAS-Bench-201 cells on phones, boards, accelerators, processors and GPUs",
        command="hw-latency FILE.pt ... -o OUT.h5",
        licence="MIT",
        size="0.14 MB a device, 15,625 rows",
        published="https://github.com/HayeonLee/HELP",
        has=("latency of one device a file, by official index",),
        lacks=("accuracies: import them from nasbench201", "spread over repetitions", "software of the device"),
        times=False,
        trainings=False,
    )
)
def import_latencies(
    paths: str | Sequence[str], output: str, device: str = "", batch: int | None = None, take_over: bool = False
) -> Imported:
    """Import latencies into a results file: a new one, or beside what it has, e.g. the table of NAS-Bench-201.

    Files are read without torch, as plain values. Rows of about 0 ms are flagged: they are stored, and no front, correlation or query by name uses them. Runtimes of
    phones replace a network whose output is constant by that constant.

    Args:
        paths: one or several files; the name of each says its device, e.g. "nb201_pixel3.pt".
        output: the results file, ending in .h5; it is made if there is none.
        device: name of the device; "" for the one in the name of the file.
        batch: images in one call; None for the one in the name of the file, or unknown.
        take_over: see `store.lock.ResultsLock`.

    Returns:
        Number of rows stored, by flag.

    Raises:
        MissingData: when a file does not exist.
        InputError: when a file is no list of 15,625 latencies, or the results file has those of the device already.
        StoreError: when the output cannot be written.
    """
    files = [paths] if isinstance(paths, str) else list(paths)
    if device and len(files) > 1:
        raise InputError(f"--device names the device of one file, got {len(files)} files")
    cells = _cells()
    quantities = [_quantity(Path(path).name, device, batch) for path in files]
    _refuse_repeats(output, quantities)
    sources = [ImportSource.of(path, FORMAT) for path in files]
    latencies = [_read(path, len(cells)) for path in files]
    flagged = [_flags(values, [cell for cell, _ in cells]) for values in latencies]
    with ResultsWriter(output, take_over=take_over) as writer:
        for source, quantity, values, flags in zip(sources, quantities, latencies, flagged):
            rows = [
                _row(quantity, source, index, cell, digest, float(values[index]), flags.get(index, ""))
                for index, (cell, digest) in enumerate(cells)
            ]
            writer.append_measurements(rows)
    faults = sum(map(len, flagged))
    stored = len(cells) * len(files)
    counts = {"ok": stored - faults, "flagged": faults}
    remarks = [_flag_remark(*each) for each in zip(quantities, latencies, flagged) if each[2]]
    return Imported({}, 0, {}, counts, remarks=remarks, unit="rows", measurements=stored)


def _cells() -> list[tuple[Architecture, str]]:
    """All cells by official index, each with its hash."""
    space: Any = get_space(_SPACE)
    return [(cell, cell.hash) for cell in space.enumerate()]


def _quantity(name: str, device: str, batch: int | None) -> Quantity:
    found = _NAME.fullmatch(name)
    if not device and found is None:
        raise InputError(f"{name}: the name of a file of latencies is nb201_DEVICE.pt; otherwise name it with --device")
    stated = int(found["batch"]) if found is not None and found["batch"] and not device else -1
    named = device or (found["device"] if found is not None else "")
    return Quantity(LATENCY, "ms", "lower", device=named, batch=stated if batch is None else batch)


def _read(path: str, wanted: int) -> Numbers:
    """The latencies of a file, in the order of the official index."""
    values = _list(path)
    if len(values) != wanted:
        raise InputError(
            f"{path} should have {wanted:,} latencies, one for each NAS-Bench-201 cell, got {len(values):,}"
        )
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{path}: latency {index} is a number, got a {type(value).__name__}")
        if not 0 < value < math.inf:
            raise InputError(f"{path}: latency {index} is {value:g}; it is above 0, and finite")
    return np.array(values, dtype=float)


def _list(path: str) -> list[Any]:
    """The list that `torch.save` wrote, without torch: a zip archive with a pickle of plain values."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith("/data.pkl")]
            if len(members) != 1:
                raise InputError(f"{path} is no file that torch.save wrote: it has no data.pkl")
            if members[0].file_size > _LARGEST:
                raise InputError(
                    f"{path} unpacks to {members[0].file_size >> 20:,} MiB; a file of latencies has less than "
                    f"{_LARGEST >> 20} MiB"
                )
            values = PlainPickle(path, "files of latencies", lambda: archive.open(members[0])).value()
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path} is no file that torch.save wrote: {' '.join(str(error).split())}") from None
    if not isinstance(values, list):
        raise InputError(f"{path} should hold a list of latencies, got a {type(values).__name__}")
    return values


def _flags(values: Numbers, cells: Sequence[Architecture]) -> dict[int, str]:
    """Index -> reason, of latencies of about 0."""
    median = float(np.median(values))
    flags = {}
    for index in np.flatnonzero(values < CONSTANT_SHARE * median).tolist():
        constant = _is_constant(cells[index])
        if constant or values[index] < ANY_SHARE * median:
            share = f"about 0 ms: {values[index] / median:.2%} of the device's median"
            flags[index] = f"{share}; the cell's output does not depend on its input" if constant else share
    return flags


def _is_constant(cell: Architecture) -> bool:
    assert isinstance(cell.space, NasBench201Space)
    return not cell.space.structure(cell).out


def _flag_remark(quantity: Quantity, values: Numbers, flags: dict[int, str]) -> str:
    chosen = values[list(flags)]
    constant = sum("does not depend" in reason for reason in flags.values())
    which = "all of them cells" if constant == len(flags) else f"{constant:,} of them cells"
    return (
        f"{quantity.device}: {len(flags):,} of {len(values):,} rows are of about 0 ms ({chosen.min():.3g} to {chosen.max():.3g}, "
        f"median of the device {np.median(values):.3g}), {which} whose output does not depend on the input; they are flagged, and "
        "left out of fronts"
    )


def _row(
    quantity: Quantity, source: ImportSource, index: int, cell: Architecture, digest: str, value: float, flag: str
) -> Row:
    details: dict[str, Any] = {"index": index}
    if flag:
        details[FLAGGED] = flag
    return (
        unmeasured()
        | quantity.columns
        | {
            "hash": digest,
            "space": _SPACE,
            "choices": json.dumps(list(cell.choices), separators=(",", ":")),
            "value": value,
            "details": json.dumps(details, sort_keys=True),
            "source": f"{FORMAT} {source.path.name} {source.digest}",
        }
    )


def _refuse_repeats(output: str, quantities: Sequence[Quantity]) -> None:
    """Refuse what the results file has already, or what is given twice."""
    if len(set(quantities)) < len(quantities):
        raise InputError("two files are of one device and batch; import each once")
    if not os.path.exists(output):
        return
    with Results(output) as results:
        there = results.measurements()
    known = set(zip(there["quantity"].astype(str), there["device"].astype(str), there["batch"].astype(int)))
    for quantity in quantities:
        if (quantity.name, quantity.device, quantity.batch) in known:
            raise InputError(f"{output} has {quantity.text.partition(':')[0]} already; nothing was imported")
