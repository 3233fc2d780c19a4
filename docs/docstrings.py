"""Extension of the reference's reader of docstrings: a section "Example" is one of examples."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)


class Examples(griffe.Extension):
    """Google's style calls the section "Examples"; the suite's docstrings have one example each."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the section's heading in a docstring."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub("Examples:", obj.docstring.value)
