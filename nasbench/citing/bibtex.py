"""BibTeX entries: papers by key or arXiv id, and those of the suite itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from typing import Final

from nasbench import __version__
from nasbench.benchmark.definition import Benchmark
from nasbench.errors import UnknownName
from nasbench.tabular.catalogue import ShippedTable

_ENTRY: Final = re.compile(r"^@\w+\{([\w.-]+),\n(?:  .*\n)+\}$", re.MULTILINE)
_ARXIV: Final = re.compile(r"\b(\d{4}\.\d{4,5})\b")
_EPRINT: Final = re.compile(r"eprint = \{(\d{4}\.\d{4,5})\}")
AUTHOR: Final = "{The nasbench maintainers}"


@lru_cache(maxsize=1)
def papers() -> dict[str, str]:
    """Return the entries of papers that ship, by key."""
    text = (resources.files("nasbench.citing") / "papers.bib").read_text(encoding="utf-8")
    return {found[1]: found[0] for found in _ENTRY.finditer(text)}


def paper(key: str) -> str:
    """Return the entry of a paper.

    Args:
        key: its key, e.g. "dong2020nasbench201".

    Returns:
        BibTeX.

    Raises:
        UnknownName: when there is no such key.
    """
    if key not in papers():
        raise UnknownName("paper", key, papers())
    return papers()[key]


def cited_by(kind: type, what: str) -> list[str]:
    """Return the entries of the papers that a class follows, by the arXiv ids in its documentation.

    Args:
        kind: a strategy or a space; its options are read, too.
        what: what it is, for papers that do not ship, e.g. "strategy mine".

    Returns:
        Entries, each once. A paper that does not ship has an entry with its arXiv id alone.
    """
    texts = [inspect.getdoc(kind) or "", inspect.getdoc(getattr(kind, "config_type", None)) or ""]
    fields = getattr(getattr(kind, "config_type", None), "model_fields", {})
    texts += [field.description or "" for field in fields.values()]
    by_id = {found[1]: entry for entry in papers().values() for found in [_EPRINT.search(entry)] if found}
    ids = dict.fromkeys(_ARXIV.findall("\n".join(texts)))
    return [by_id.get(each) or _by_id(each, what) for each in ids]


def _by_id(arxiv: str, what: str) -> str:
    return (
        f"@misc{{arxiv{arxiv},\n  eprint = {{{arxiv}}},\n  archiveprefix = {{arXiv}},\n"
        f"  note = {{cited by {plain(what)}; look title and authors up}}\n}}"
    )


def plain(text: str) -> str:
    """Write a text so that it is no TeX.

    Args:
        text: any text.

    Returns:
        The text with TeX's special characters escaped, in one line.
    """
    line = " ".join(text.split()).replace("\\", "/")
    return re.sub(r"([&%$#_{}])", r"\\\1", line).replace("~", " ").replace("^", " ")


def software() -> str:
    """Return the entry of this package."""
    return (
        "@software{nasbench,\n  title = {nasbench: a reproducibility benchmark suite for neural architecture search},\n"
        f"  author = {{{AUTHOR}}},\n  version = {{{__version__}}},\n  note = {{cite the commit that you ran, too}}\n}}"
    )


def of_suite(suite: Benchmark) -> str:
    """Return the entry of a benchmark suite.

    Args:
        suite: the suite.

    Returns:
        BibTeX with its digest.
    """
    return (
        f"@misc{{nasbench-{suite.name},\n  title = {{{plain(suite.name)}: {plain(suite.description)}}},\n"
        f"  author = {{{AUTHOR}}},\n  howpublished = {{nasbench {__version__}}},\n  note = {{digest {suite.digest}}}\n}}"
    )


def of_table(table: ShippedTable) -> str:
    """Return the entry of a table that ships.

    Args:
        table: the table.

    Returns:
        BibTeX with its digest.
    """
    return (
        f"@misc{{nasbench-{table.name},\n  title = {{{plain(table.name)}: {plain(table.what)}}},\n  author = {{{AUTHOR}}},\n"
        f"  year = {{{table.date[:4]}}},\n  howpublished = {{nasbench {__version__}}},\n"
        f"  note = {{fingerprint {table.fingerprints['all']}, SHA-256 of {table.name}.npz {table.sha256}}}\n}}"
    )


def once(entries: Iterable[str]) -> Sequence[str]:
    """Leave out entries that are there already.

    Args:
        entries: BibTeX entries.

    Returns:
        Each once, in order.
    """
    return list(dict.fromkeys(entries))
