"""A data set in words and tables: for `nasbench data show`, and the line at the start of a run."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from nasbench.data.assembling import in_order
from nasbench.data.dataset import Dataset

SHOWN_DIGITS = 12  # of the digest in a line


def describe_in_a_line(text: str, data: Dataset) -> str:
    """Describe a data set in one line.

    Args:
        text: text by which `load_data` read it.
        data: the data set.

    Returns:
        Name, classes, images, shape, digest, and what was decided or left out when it was read.
    """
    reading = data.reading
    facts = [
        f"{len(data.classes)} classes",
        images_in_words(data),
        f"{data.channels}x{data.size}x{data.size}",
        f"digest {data.digest[:SHOWN_DIGITS]}",
    ]
    left_out = sum(entry.files for entry in reading.skipped)
    remarks = [f"split: {reading.split}"] if reading.split else []
    remarks += reading.notes
    if left_out:
        remarks.append(f"{left_out} file(s) left out, see: nasbench data show {shlex.quote(text)}")
    return "; ".join([f"data {data.name}: {', '.join(facts)}", *remarks])


def images_in_words(data: Dataset) -> str:
    """Write how many images a data set has.

    Args:
        data: the data set.

    Returns:
        The text, e.g. "900 training + 597 test images".
    """
    own = len(data.train) - data.validation_from if data.validation_from else 0
    middle = f" + {own} validation" if own else ""
    return f"{len(data.train) - own} training{middle} + {len(data.test)} test images"


def order_in_words(data: Dataset) -> str:
    """Say in which order the classes of a data set are: that of the labels and of a network's outputs.

    Args:
        data: the data set.

    Returns:
        "their numbers", "their names", or "the source", where names have another order.
    """
    if list(data.classes) != in_order(data.classes):
        return "the source"
    return "their numbers" if all(name.isdecimal() for name in data.classes) else "their names"


def class_counts(data: Dataset) -> list[tuple[str, int, int, int]]:
    """Count the images of each class.

    Args:
        data: the data set.

    Returns:
        Class, and its training, validation and test images; validation images are those that came with the data.
    """
    border = data.validation_from or len(data.train)
    parts = (data.train.labels[:border], data.train.labels[border:], data.test.labels)
    counts = [np.bincount(labels, minlength=len(data.classes)).tolist() for labels in parts]
    return list(zip(data.classes, *counts))


def facts_of(data: Dataset) -> dict[str, Any]:
    """Return everything that is known of a data set, as JSON values.

    Args:
        data: the data set.

    Returns:
        Name -> value.
    """
    border = data.validation_from or len(data.train)
    return {
        "name": data.name,
        "digest": data.digest,
        "training_images": border,
        "validation_images": len(data.train) - border,
        "test_images": len(data.test),
        "channels": data.channels,
        "size": data.size,
        "classes": [
            {"class": name, "training": train, "validation": validation, "test": test}
            for name, train, validation, test in class_counts(data)
        ],
        **data.reading.to_json(),
    }
