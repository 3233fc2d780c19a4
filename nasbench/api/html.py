"""Runs and architectures as HTML for notebooks: tables of facts and drawn cells, without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nasbench.spaces.base import Architecture

_STYLE = (
    "--ink:#1e2124;--surface:#fff;--wire:100%;color:#1e2124;background:#fff;padding:.6em .8em;"
    "border:1px solid #d9d6cf;border-radius:6px;max-width:66em;overflow-x:auto;overflow-wrap:anywhere"
)
_RULES = "<style>.nasbench-card svg .t{fill:var(--l)}.nasbench-card th{text-align:left;padding-right:1em}</style>"


def card(*parts: str) -> str:
    """Put HTML into a framed box that can be read on light and on dark pages.

    Args:
        parts: HTML elements, put in one after the other.

    Returns:
        One HTML element.
    """
    return f'<div class="nasbench-card" style="{_STYLE}">{_RULES}{"".join(parts)}</div>'


def facts(values: Mapping[str, Any]) -> str:
    """Write names and values as an HTML table; texts are escaped.

    Args:
        values: name -> value.

    Returns:
        A table element with one row per name.
    """
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in values.items())
    return f"<table>{rows}</table>"


def drawn(architecture: Architecture) -> str:
    """Draw an architecture.

    Args:
        architecture: the architecture.

    Returns:
        One SVG element.
    """
    from nasbench.analysis.report.pictures import svg_of

    return svg_of(architecture.space.structure(architecture), f"Architecture {architecture.hash[:12]}")


def architecture_html(architecture: Architecture) -> str:
    """Show an architecture: its drawing, hash, text form, and counts at the default scale.

    Args:
        architecture: the architecture.

    Returns:
        One HTML element.
    """
    space = architecture.space
    counts = space.count(architecture)
    size = f"{counts.params:,} parameters, {counts.mult_adds:,} multiply-adds (scale of {space.default_size or space.default_protocol})"
    values = {"space": space.spec, "hash": architecture.hash, "network": str(architecture), "counts": size}
    return card(drawn(architecture), facts(values))


def frame_html(frame: pd.DataFrame) -> str:
    """Write a small table as HTML, as pandas formats it.

    Args:
        frame: the table; numbers get four significant digits.

    Returns:
        A table element.
    """
    return str(frame.to_html(index=False, border=0, float_format=lambda value: f"{value:.4g}"))


def notes_html(notes: Iterable[str]) -> str:
    """Write notes as HTML, one paragraph per note; texts are escaped.

    Args:
        notes: the notes.

    Returns:
        The paragraphs; "" without notes.
    """
    return "".join(f"<p>note: {escape(note)}</p>" for note in notes)


def figure_html(figure: Figure) -> str:
    """Embed a figure into a page as a PNG image.

    Args:
        figure: the figure.

    Returns:
        One image element that holds its data.
    """
    import base64
    import io

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="figure" style="max-width:100%" src="data:image/png;base64,{data}">'
