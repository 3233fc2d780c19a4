"""Search spaces by name. An architecture is a value: a sequence of choices, one per decision."""

from __future__ import annotations

import json
from functools import lru_cache

from nasbench.errors import InputError
from nasbench.registry import Registry
from nasbench.spaces.base import Architecture, Decision, Space, option_fields, space_options
from nasbench.spaces.choices import ChoiceSpace

__all__ = ["SPACES", "Architecture", "Decision", "Space", "from_json", "get_space"]

SPACES: Registry[type[Space]] = Registry(
    "space",
    "nasbench.spaces",
    {
        "amoebanet": "nasbench.spaces.amoebanet:AmoebaNetSpace",
        "conv-size": "nasbench.spaces.conv_size:ConvSizeSpace",
        "darts": "nasbench.spaces.darts:DartsSpace",
        "enas-macro": "nasbench.spaces.enas_macro:EnasMacroSpace",
        "enas-micro": "nasbench.spaces.enas_micro:EnasMicroSpace",
        "nas": "nasbench.spaces.nas:NasSpace",
        "nasbench101": "nasbench.spaces.nasbench101:NasBench101Space",
        "nasbench201": "nasbench.spaces.nasbench201:NasBench201Space",
        "nasbench-macro": "nasbench.spaces.nasbench_macro:NasBenchMacroSpace",
        "nats-size": "nasbench.spaces.nats_size:NatsSizeSpace",
        "nasnet": "nasbench.spaces.nasnet:NasNetSpace",
        "pnas": "nasbench.spaces.pnas:PnasSpace",
        "transnas-macro": "nasbench.spaces.transnas_macro:TransnasMacroSpace",
        "transnas-micro": "nasbench.spaces.transnas_micro:TransnasMicroSpace",
    },
)


@lru_cache(maxsize=256)
def get_space(spec: str) -> Space:
    """Make a space from its name and options.

    Args:
        spec: "name" or "name:option=value,option=value", e.g. "nasnet:blocks=3". The parts of a tuple are separated by
            slashes: "nas:filters=8/16". Options that are not named have their defaults. "choices:3/3/2" is a space without
            networks, with the number of options of each decision (`nasbench.spaces.choices.ChoiceSpace`).

    Returns:
        The space. Equal texts give the same object.

    Raises:
        UnknownName: when no space has that name.
        InputError: when an option is unknown, misspelled, given twice or out of range.
    """
    name, _, tail = spec.strip().partition(":")
    if name == ChoiceSpace.name:
        return ChoiceSpace.of_text(tail)
    kind = SPACES.get(name)
    given = {}
    for part in filter(None, (piece.strip() for piece in tail.split(","))):
        key, equals, text = part.partition("=")
        if not equals:
            allowed = ", ".join(field.name for field in option_fields(kind)) or "none"
            raise InputError(f"space option {part!r} in {spec!r} should read key=value; options of {name}: {allowed}")
        if key.strip() in given:
            raise InputError(f"option {key.strip()!r} is given twice in space {spec!r}; write it once")
        given[key.strip()] = text.strip()
    return kind(**space_options(kind, given))


def from_json(text: str) -> Architecture:
    """Make the architecture that `Architecture.to_json` wrote.

    Args:
        text: JSON such as '{"space":"nasbench201","choices":[3,3,1,0,2,4]}': a space as `get_space` takes it, and one
            whole number per decision.

    Returns:
        The architecture, equal to the one that was written.

    Raises:
        InputError: when the text is not JSON of this form, or its choices do not fit the space.
        UnknownName: when no space has that name.
    """
    try:
        document = json.loads(text)
        spec, choices = document["space"], document["choices"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _not_an_architecture(text) from None
    if not isinstance(spec, str) or not isinstance(choices, list) or any(type(choice) is not int for choice in choices):
        raise _not_an_architecture(text)
    return get_space(spec).decode(choices)


def _not_an_architecture(text: str) -> InputError:
    return InputError(f'an architecture is written {{"space": "nasnet", "choices": [0, 1, ..]}}, got {text[:80]!r}')
