"""Digest of a value from its fields; each field's metadata states its part in the digest.

A digest must survive growth: a field that is added later, at the value that stands for what was done before it existed, leaves every stored
digest as it was. So a field says in `json_schema_extra` how it takes part:

- nothing: always part of the digest;
- `NEVER`: never part of it, since it changes no result;
- `unless(value)`: part of it except at this value. The value is written down once and stays, even when the field's default changes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from pydantic import BaseModel

_KEY: Final = "identity"

NEVER: Final[dict[str, Any]] = {_KEY: "never"}
"""Marks a field that changes no result: `Field(..., json_schema_extra=NEVER)`."""


def unless(value: Any) -> dict[str, Any]:
    """Mark a field that is left out of the digest at one value.

    Args:
        value: the JSON value that means the behaviour before the field existed.

    Returns:
        What goes into `Field(..., json_schema_extra=...)`.
    """
    return {_KEY: {"unless": value}}


def identity_fields(model: BaseModel) -> dict[str, Any]:
    """Return the fields that decide a model's digest, as JSON values."""
    values = model.model_dump(mode="json")
    kept = {}
    for name, field in type(model).model_fields.items():
        extra = field.json_schema_extra
        rule = extra.get(_KEY) if isinstance(extra, dict) else None
        if rule == "never" or (isinstance(rule, dict) and values[name] == rule["unless"]):
            continue
        kept[name] = values[name]
    return kept


def digest_of(fields: dict[str, Any], size: int) -> str:
    """Digest JSON values; the order of their keys does not matter.

    Args:
        fields: JSON values.
        size: bytes of the digest.

    Returns:
        2 x size hexadecimal digits.
    """
    return hashlib.blake2b(json.dumps(fields, sort_keys=True).encode(), digest_size=size).hexdigest()
