"""Templates and styles of the reports' pages."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from importlib import resources
from typing import Any


def static(name: str) -> str:
    """Read a template, style or script.

    Args:
        name: name of the file.

    Returns:
        Its text.
    """
    return (resources.files("nasbench.analysis.report") / "static" / name).read_text(encoding="utf-8")


def rendered(name: str, **values: Any) -> str:
    """Fill a template; texts are escaped.

    Args:
        name: name of the template.
        **values: its variables.

    Returns:
        The page.

    Raises:
        jinja2.UndefinedError: when a variable is missing.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(static),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(values)


def policy(scripts: Iterable[str]) -> str:
    """Make a content security policy that allows only these scripts, and no requests.

    Args:
        scripts: texts of the scripts; none for a page without scripts.

    Returns:
        The policy.
    """
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    source = f"script-src {allowed}; " if allowed else ""
    return f"default-src 'none'; {source}style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
