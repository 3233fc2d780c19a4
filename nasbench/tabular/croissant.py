"""Croissant metadata of the tables that ship: JSON-LD by which data sets are found and checked.

Source: Akhtar et al. 2024, "Croissant: a metadata format for ML-ready datasets" (2403.19546); the vocabulary of version 1.0.
"""

from __future__ import annotations

import json
from typing import Any, Final

from nasbench import __version__
from nasbench.tabular.catalogue import ShippedTable

ENDING: Final = ".croissant.json"
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_MEASURED: Final = (
    ("val_acc", "fraction", "validation accuracy of an architecture, mean over training seeds"),
    ("test_acc", "fraction", "test accuracy of an architecture, mean over training seeds"),
    ("seconds", "s", "device-seconds of one training"),
    ("params", "1", "trainable parameters"),
    ("mult_adds", "1", "multiply-adds for one image"),
)


def croissant(table: ShippedTable) -> dict[str, Any]:
    """Describe a table that ships.

    Args:
        table: the table.

    Returns:
        JSON-LD: name, licence, citation, creator, the files with their digests, and what was measured. There is no record
        set, because Croissant reads no file of arrays.
    """
    seeds = ", ".join(map(str, table.seeds))
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": table.name,
        "description": (
            f"A complete table for neural architecture search: {table.what}. {table.architectures:,} architectures of "
            f"{table.space}, {table.trainings:,} trainings with the seeds {seeds} on {table.data}, {table.core_hours:g} "
            f"core-hours. Made by: {table.made}. Verified {table.verified}."
        ),
        "license": "https://www.apache.org/licenses/LICENSE-2.0",
        "usageInfo": table.licence,
        "version": __version__,
        "datePublished": table.date,
        "creator": {"@type": "sc:Organization", "name": "The nasbench maintainers"},
        "citeAs": f"nasbench cite --table {table.name}",
        "keywords": ["neural architecture search", "benchmark", table.space, table.data],
        "isLiveDataset": False,
        "variableMeasured": [
            {"@type": "sc:PropertyValue", "name": name, "unitText": unit, "description": meaning}
            for name, unit, meaning in _MEASURED
        ],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": f"{table.name}.npz",
                "name": f"{table.name}.npz",
                "description": "Compact table: arrays of numpy, read by nasbench.",
                "contentUrl": f"{table.name}.npz",
                "contentSize": f"{table.path.stat().st_size} B",
                "encodingFormat": "application/zip",
                "sha256": table.sha256,
            }
        ],
    }


def croissant_text(table: ShippedTable) -> str:
    """Write the description of a table as text.

    Args:
        table: the table.

    Returns:
        JSON, in lines.
    """
    return json.dumps(croissant(table), indent=2, ensure_ascii=False) + "\n"
