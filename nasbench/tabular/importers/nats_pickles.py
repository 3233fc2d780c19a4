"""Import of NATS-Bench from its official files: `.pickle.pbz2`, one for all architectures or a folder with one for each.

A benchmark file is a dict with `meta_archs` (official strings in the order of their index), `arch2infos` (index -> results)
and `evaluated_indexes`. A file of the folder, NNNNNN.pickle.pbz2, has the results of the architecture of that index. Results
are a dict from number of epochs as text ("01", "12", "90"; "12", "200") to `arch_index`, `arch_str` and `all_results`, a dict
from (data set, seed) to one training: `train_acc1es`, `train_losses`, `train_times` {epoch: value}, `eval_acc1es`,
`eval_losses`, `eval_times` {"SPLIT@EPOCH": value}, `params` and `flop` (millions).

Source: D-X-Y/NATS-Bench, nats_bench/api_utils.py, and D-X-Y/AutoDL-Projects, exps/NATS-Bench/sss-collect.py, tss-collect.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from nasbench.errors import InputError, MissingData
from nasbench.tabular.importers.about import About, describes
from nasbench.tabular.importers.importer_base import Collector, Imported, ImportSource
from nasbench.tabular.importers.nats_records import Records, read_architecture
from nasbench.tabular.importers.plain_pickle import PlainPickle

FORMAT: Final = "nats-bench pickles"
_WHAT: Final = "NATS-Bench's results"
_ARCHITECTURES: Final = "arch2infos"
_FILE: Final = re.compile(r"\d{1,6}\.pickle(\.pbz2)?")
_CURVES: Final = {
    "train_acc": "train_acc1es",
    "train_losses": "train_losses",
    "train_times": "train_times",
    "eval_acc": "eval_acc1es",
    "eval_losses": "eval_losses",
    "eval_times": "eval_times",
}
_NEEDED: Final = ("train_acc1es", "train_times", "eval_acc1es", "params", "flop")


@describes(
    About(
        what="NATS-Bench's official files: 15,625 cells (topology) and 32,768 numbers of channels (size), every epoch",
        command="nats-bench FILE.pickle.pbz2|FOLDER -o OUT.h5",
        licence="MIT",
        size="NATS-tss-v1_0-3ffb9 and NATS-sss-v1_0-50262: a file, or a folder '-simple' with one for each architecture",
        published="https://github.com/D-X-Y/NATS-Bench",
        has=("single seeds", "accuracies and losses of every epoch", "seconds of every epoch", "parameters", "FLOPs"),
        lacks=("trained weights and latencies, which the files have and which are not read",),
        times=True,
    )
)
def import_pickles(path: str, output: str, take_over: bool = False) -> Imported:
    """Import the files as a new results file: one run per data set and number of epochs.

    Pickles are read by `plain_pickle.PlainPickle`, which calls and imports nothing, one architecture after the other.

    Args:
        path: a benchmark file, the file of one architecture, or a folder of such files.
        output: the new results file, ending in .h5.
        take_over: see `store.lock.ResultsLock`.

    Returns:
        Number of children and runs written, and of missing values.

    Raises:
        MissingData: when the file or folder does not exist, or has no results.
        InputError: when a file is no such pickle (the message names the file and the architecture), or the output exists.
        StoreError: when the output cannot be written.
    """
    whole = Path(path)
    files = _files(whole) if whole.is_dir() else [whole]
    source = ImportSource.of_folder(whole, files, FORMAT) if whole.is_dir() else ImportSource.of(path, FORMAT)
    with Collector(source) as collector:
        records = Records(collector)
        for file in files:
            for index, results in _architectures(file):
                for where, record in _records(file, index, results):
                    try:
                        records.add(record)
                    except InputError as error:
                        raise InputError(f"{where}: {error}") from None
        return collector.write(output, take_over)


def _files(folder: Path) -> list[Path]:
    """The files of architectures in a folder, by index."""
    found = [each for each in folder.iterdir() if _FILE.fullmatch(each.name)]
    if not found:
        raise MissingData(
            f"{folder} has no files NNNNNN.pickle.pbz2, one for each architecture, as NATS-Bench's folders do"
        )
    return sorted(found, key=lambda each: (int(each.name.partition(".")[0]), each.name))


def _architectures(file: Path) -> Iterator[tuple[Any, Any]]:
    """Yield index and results of each architecture of a file; the index is None in the file of one."""
    several = 0
    for index, value in PlainPickle(str(file), _WHAT).items(_ARCHITECTURES):
        if index is not None:
            several += 1
            yield index, value
        elif not (isinstance(value, dict) and _ARCHITECTURES in value):
            yield None, value
        elif not several:
            raise MissingData(f"{file} has no results; those of its architectures are in the folder beside it")


def _records(file: Path, index: Any, results: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the trainings of one architecture in the form of `nats_records`, each with the words that name it."""
    where = f"{file}" if index is None else f"{file}: architecture {index}"
    if not isinstance(results, dict) or not results:
        raise InputError(f"{where} has no results by number of epochs; it is no file of NATS-Bench")
    for hp, state in results.items():
        found = state if isinstance(state, dict) else {}
        text, trainings = found.get("arch_str"), found.get("all_results")
        if not isinstance(text, str) or not isinstance(trainings, dict):
            raise InputError(
                f"{where}: results {hp!r:.20} have no arch_str and all_results; it is no file of NATS-Bench"
            )
        _check_index(where, text, found.get("arch_index"))
        for key, training in trainings.items():
            if not isinstance(key, tuple) or len(key) != 2 or not isinstance(key[0], str):
                raise InputError(f"{where}: all_results is by data set and seed, got {key!r:.60}")
            name = f"{where}, {hp} epochs, {key[0]:.40}, seed {key[1]!r:.20}"
            yield name, _record(name, text, hp, key, training)


def _check_index(where: str, text: str, index: Any) -> None:
    """Refuse an index other than the official one of a text: the files would not be those of the benchmark."""
    try:
        architecture = read_architecture(text)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    space: Any = architecture.space
    if index != space.index(architecture):
        raise InputError(f"{where}: arch_index of {text!r} is {space.index(architecture)}, got {index!r:.20}")


def _record(where: str, text: str, hp: Any, key: tuple[Any, Any], training: Any) -> dict[str, Any]:
    lacking = [name for name in _NEEDED if name not in training] if isinstance(training, dict) else list(_NEEDED)
    if lacking:
        raise InputError(f"{where} has no {', '.join(lacking)}")
    curves: dict[str, Any] = {ours: _curve(where, theirs, training.get(theirs)) for ours, theirs in _CURVES.items()}
    # Times are estimates for all epochs, also for those that were not evaluated.
    curves["eval_times"] = {name: value for name, value in curves["eval_times"].items() if name in curves["eval_acc"]}
    for name in ("params", "flop"):
        if not isinstance(training[name], int | float):
            raise InputError(f"{where}: {name} is a number of millions, got a {type(training[name]).__name__}")
    return {
        "arch": text,
        "hp": hp,
        "dataset": key[0],
        "seed": key[1],
        "params_m": training["params"],
        "flops_m": training["flop"],
        **curves,
    }


def _curve(where: str, name: str, values: Any) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"{where}: {name} is a dict with one value per epoch, got a {type(values).__name__}")
    wrong = next((value for value in values.values() if not isinstance(value, int | float)), None)
    if wrong is not None:
        raise InputError(f"{where}: {name} has numbers, got a {type(wrong).__name__}")
    return {str(epoch): value for epoch, value in values.items()}
