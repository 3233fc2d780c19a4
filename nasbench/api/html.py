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
    """Put HTML into a framed box that reads the same on light and dark pages."""
    return f'<div class="nasbench-card" style="{_STYLE}">{_RULES}{"".join(parts)}</div>'


def facts(values: Mapping[str, Any]) -> str:
    """Return a table of names and values; texts are escaped."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in values.items())
    return f"<table>{rows}</table>"


def drawn(architecture: Architecture) -> str:
    """Return the architecture's picture as one SVG element."""
    from nasbench.analysis.report.pictures import svg_of

    return svg_of(architecture.space.structure(architecture), f"Architecture {architecture.hash[:12]}")


def architecture_html(architecture: Architecture) -> str:
    """Return an architecture with its drawn cell, its hash, its encoding and its counts at the default scale."""
    space = architecture.space
    counts = space.count(architecture)
    size = f"{counts.params:,} parameters, {counts.mult_adds:,} multiply-adds (scale of {space.default_protocol})"
    values = {"space": space.spec, "hash": architecture.hash, "network": str(architecture), "counts": size}
    return card(drawn(architecture), facts(values))


def frame_html(frame: pd.DataFrame) -> str:
    """Return a small table as pandas draws it."""
    return str(frame.to_html(index=False, border=0, float_format=lambda value: f"{value:.4g}"))


def notes_html(notes: Iterable[str]) -> str:
    """Return one line per note; texts are escaped."""
    return "".join(f"<p>note: {escape(note)}</p>" for note in notes)


def figure_html(figure: Figure) -> str:
    """Return a figure as an image that is part of the page."""
    import base64
    import io

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="figure" style="max-width:100%" src="data:image/png;base64,{data}">'
