"""Options written behind a data set's name: "images=256,size=8"."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from nasbench.errors import InputError
from nasbench.protocols.protocol import validated

M = TypeVar("M", bound=BaseModel)


def parse_options(model: type[M], text: str, what: str) -> M:
    """Read "key=value,key=value" into a pydantic model.

    Args:
        model: the model: options with types, defaults and ranges.
        text: the options; may be empty. Of an option given twice, the last value counts.
        what: owner of the options, with which error messages start.

    Returns:
        The model; options that are not given have their defaults.

    Raises:
        InputError: when an option is unknown, misspelled, malformed or out of range.
    """
    given = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"{what}: option {part!r} should read key=value; allowed: {', '.join(model.model_fields)}")
        given[key.strip()] = value.strip()
    return validated(model, given, what)
