"""Digest of a pydantic model from those of its fields that change a result.

Stored digests must stay valid when the model gets a new field. So each field states in `json_schema_extra` whether it
is part of the digest:

- without a mark: always;
- `NEVER`: never, because the field changes no result;
- `unless(value)`: except when the field has this value, which means the behaviour before the field existed. This value
  must never be changed, not even when the field's default is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

_KEY: Final = "identity"

NEVER: Final[dict[str, Any]] = {_KEY: "never"}
"""Marks a field that changes no result: `Field(..., json_schema_extra=NEVER)`."""


def unless(value: Any) -> dict[str, Any]:
    """Mark a field that is left out of the digest when it has one given value.

    Args:
        value: the JSON value that means the behaviour before the field existed.

    Returns:
        The mark: `Field(..., json_schema_extra=unless(value))`.
    """
    return {_KEY: {"unless": value}}


def with_earlier_values(model_type: type[BaseModel], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Add to stored fields those that did not exist when they were stored, at the value that means the behaviour then.

    Args:
        model_type: the model, in this version.
        stored: field -> JSON value, from a file.

    Returns:
        The stored fields, and each missing field that is marked with `unless`.
    """
    earlier = {}
    for name, field in model_type.model_fields.items():
        extra = field.json_schema_extra
        rule = extra.get(_KEY) if isinstance(extra, dict) else None
        if name not in stored and isinstance(rule, dict):
            earlier[name] = rule["unless"]
    return {**stored, **earlier}


def identity_fields(model: BaseModel) -> dict[str, Any]:
    """Return the fields that are part of a model's digest.

    Args:
        model: the model whose fields are marked as this module describes.

    Returns:
        Field name -> JSON value, in the order of the model's fields.
    """
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
    """Return the BLAKE2b digest of JSON values; the order of the keys does not matter.

    Args:
        fields: name -> JSON value.
        size: bytes of the digest, 1 to 64.

    Returns:
        2 x `size` hexadecimal digits.

    Raises:
        TypeError: when a value has no JSON form.
    """
    return hashlib.blake2b(json.dumps(fields, sort_keys=True).encode(), digest_size=size).hexdigest()
