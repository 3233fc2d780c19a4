"""Tables in JSON as programs write them: lists of objects, lines of objects, objects of lists, folders, and search logs.

Nested objects become columns with dotted names: {"config": {"op": 1}} is the column config.op.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nasbench.errors import InputError, MissingData
from nasbench.tabular.importers.importer_base import ImportSource
from nasbench.tabular.importers.json_stream import read_json
from nasbench.tabular.importers.raw_tables import RawTable, read_text

RESULTS: Final = "results.json"
CONFIGS: Final = "configs.json"
KEY: Final = "key"
FILE: Final = "file"
_DEEPEST: Final = 20
_RECORD: Final = 5  # entries of a line of HpBandSter's results: id, budget, times, result, exception


def json_source(path: str) -> ImportSource:
    """Identify the source of a table.

    Args:
        path: a file, or a folder of files.

    Returns:
        The source, with the digest of all its bytes.

    Raises:
        MissingData: when there is none.
    """
    top = Path(path)
    if not top.is_dir():
        return ImportSource.of(path, "json")
    digest = hashlib.blake2b(digest_size=16)
    for each in _files(top):
        digest.update(each.name.encode() + b"\0" + each.read_bytes())
    return ImportSource(top, digest.hexdigest(), "json")


def read_json_table(path: str, by_row: Collection[str] = ()) -> RawTable:
    """Read a table.

    An object of lists of one length is a table by columns, unless it has a value of `by_row` that is no such list: it is
    then one training, whose architecture or repeated measurements are lists, too.

    Args:
        path: a file, plain or compressed by gzip, or a folder of files with one row or more each; their names are then the
            column "file". HpBandSter's `results.json` is joined with the `configs.json` beside it. Of NASLib's
            `errors.json`, the lists of its second part are the columns.
        by_row: names whose values differ from row to row, as far as the caller knows: those of architectures and scores.

    Returns:
        The table; missing values are None.

    Raises:
        MissingData: when the folder has no files.
        InputError: when a file is no JSON, or no table.
    """
    top = Path(path)
    if top.is_dir() and (top / RESULTS).is_file() and (top / CONFIGS).is_file():
        top = top / RESULTS
    if top.is_dir():
        rows = [{FILE: each.stem, **row} for each in _files(top) for row in _rows(each, by_row)]
    else:
        rows = list(_rows(top, by_row))
    if not rows:
        raise MissingData(f"{path} has no rows to import")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return RawTable(path, names, [[row.get(name) for row in rows] for name in names])


def _files(folder: Path) -> list[Path]:
    found = sorted(each for each in folder.iterdir() if each.is_file() and ".json" in each.suffixes)
    if not found:
        raise MissingData(f"{folder} has no files whose names end in .json")
    return found


def _rows(path: Path, by_row: Collection[str]) -> Iterator[dict[str, Any]]:
    content = _content(path)
    if isinstance(content, list) and content and all(_is_result(each) for each in content):
        yield from _of_hpbandster(path, content)
        return
    if isinstance(content, list) and len(content) == 2 and (by_columns := _second_part(content, by_row)):
        config = _flat({"config": content[0]}) if isinstance(content[0], dict) else {}
        yield from ({**config, **row} for row in by_columns)
        return
    if isinstance(content, dict):
        if by_columns := _columns(content, by_row):
            yield from by_columns
            return
        objects = bool(content) and all(isinstance(value, dict) for value in content.values())
        alike = objects and len({frozenset(value) for value in content.values()}) == 1 and len(content) > 1
        yield from ({KEY: key, **_flat(value)} for key, value in content.items()) if alike else (_flat(content),)
        return
    if not isinstance(content, list):
        raise InputError(
            f"{path} holds a {type(content).__name__}, and no table: a list of objects, or an object of lists"
        )
    for number, each in enumerate(content):
        if not isinstance(each, dict):
            raise InputError(f"{path}: row {number} is a {type(each).__name__}; a row is an object with named values")
        yield _flat(each)


def _content(path: Path) -> Any:
    """The JSON of a file; that of its lines as a list, if the file as a whole is none."""
    text, _ = read_text(str(path), None)
    try:
        return json.loads(text)
    except RecursionError:
        raise InputError(f"{path} is nested too deeply") from None
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[0].lstrip().startswith(("{", "[")):
            raise InputError(f"{path} is no JSON: {error}") from None
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(read_json(line))
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    return found


def _second_part(content: Sequence[Any], by_row: Collection[str]) -> list[dict[str, Any]]:
    """Rows of the second of two parts; [] if it is no table by columns, or has the names of the first: two rows."""
    first, second = content
    if not isinstance(second, dict) or (isinstance(first, dict) and first.keys() == second.keys()):
        return []
    return _columns(second, by_row)


def _columns(content: Mapping[str, Any], by_row: Collection[str]) -> list[dict[str, Any]]:
    """Rows of an object of lists of one length, whose other values hold for all rows; [] for another object."""
    lists = {name: value for name, value in content.items() if isinstance(value, list) and value}
    if len(lists) < 2 or any(isinstance(value, dict) for value in content.values()):
        return []
    length, count = Counter(map(len, lists.values())).most_common(1)[0]
    if count < 2 or any(
        not isinstance(content[name], list) or len(content[name]) != length for name in by_row if name in content
    ):
        return []
    same = {name: value for name, value in content.items() if not isinstance(value, list)}
    whole = {name: value for name, value in lists.items() if len(value) == length}
    return [same | {name: value[place] for name, value in whole.items()} for place in range(length)]


def _flat(content: Mapping[str, Any], before: str = "", depth: int = 0) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise InputError(f"{before[:60]!r} is nested too deeply")
    found: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{name}.", depth + 1)
        else:
            found[f"{before}{name}"] = value
    return found


def _is_result(line: Any) -> bool:
    return (
        isinstance(line, list)
        and len(line) == _RECORD
        and isinstance(line[0], list)
        and isinstance(line[2], dict)
        and isinstance(line[3], dict | None)
    )


def _of_hpbandster(path: Path, lines: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Rows of HpBandSter's results: one per configuration and budget.

    Source: `json_result_logger` in `hpbandster/core/result.py`.
    """
    beside = path.with_name(CONFIGS)
    if not beside.is_file():
        raise MissingData(f"{path} are results of HpBandSter, and {beside} with their configurations is not there")
    configs = _content(beside)
    known: dict[str, Any] = {}
    for line in [configs] if configs and not isinstance(configs[0], list) else configs:
        if not isinstance(line, list) or len(line) < 2 or not isinstance(line[1], dict):
            raise InputError(
                f"{beside}: a line is a list of an id, a configuration and information, got {str(line)[:60]!r}"
            )
        known[_id(line[0])] = line[1]
    if isinstance(lines[0], list) and not isinstance(lines[0][0], list):
        lines = [lines]
    for number, (config, budget, times, result, exception) in enumerate(lines, start=1):
        if _id(config) not in known:
            raise InputError(f"{path}, line {number}: configuration {_id(config)} is not in {beside.name}")
        yield {
            "config_id": _id(config),
            "budget": budget,
            **times,
            **_flat(result or {}),
            "exception": exception,
            **_flat({"config": known[_id(config)]}),
        }


def _id(config: Any) -> str:
    return "-".join(map(str, config)) if isinstance(config, list) else str(config)
