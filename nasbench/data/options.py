"""Options written behind a data set's name: "images=256,size=8"."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from nasbench.errors import InputError
from nasbench.protocols.protocol import validated

M = TypeVar("M", bound=BaseModel)


def parse_options(model: type[M], text: str, what: str) -> M:
    """Read "key=value,key=value" into a model.

    Args:
        model: the options with their ranges.
        text: the options as written; may be empty.
        what: owner of the options, the start of the error message.

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
