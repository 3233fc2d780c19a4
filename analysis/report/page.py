"""Report as one self-contained HTML page: styles, scripts, numbers and pictures are inside, and nothing is fetched.

The page's content security policy enforces this: it allows no requests, and only its own scripts, by their digests.
Texts from results files are escaped by jinja2, and in the JSON by `payload.as_script`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nasbench.analysis.comparison.checklist import checklist_summary
from nasbench.analysis.costs.cost import nothing_charged
from nasbench.analysis.costs.cost_on_other_devices import energy_note
from nasbench.analysis.plotting import style
from nasbench.analysis.report import tables
from nasbench.analysis.report.colours import page_colours
from nasbench.analysis.report.contents import children_with_curves
from nasbench.analysis.report.payload import HASH_DIGITS, as_script, payload
from nasbench.analysis.report.pictures import svg_of
from nasbench.analysis.report.templates import policy, rendered, static
from nasbench.analysis.report.wording import (
    children_deck,
    estimates,
    facts,
    findings,
    headline,
    lead,
    setting,
    unpriced,
)
from nasbench.errors import InputError, UnknownName
from nasbench.scores import judged_by
from nasbench.spaces.stored_choices import decode_stored
from nasbench.structures import CellPair

if TYPE_CHECKING:
    from nasbench.analysis.report.contents import Contents

# Scripts in the order of their dependencies.
SCRIPTS = (
    "dom.js",
    "scales.js",
    "chart.js",
    "courses.js",
    "finals.js",
    "learned.js",
    "conditions.js",
    "children.js",
    "pareto.js",
    "attained.js",
    "table.js",
    "start.js",
)
THEME_SCRIPT = "theme.js"  # runs before the first paint of the page


def html_report(found: Contents, now: str) -> str:
    """Make the page.

    Args:
        found: contents of the report.
        now: time of creation, for the footer.

    Returns:
        A complete HTML document.
    """
    scripts = {"theme": static(THEME_SCRIPT), "page": "\n".join(static(name) for name in SCRIPTS)}
    cells = best_cells(found)
    return rendered(
        "page.html",
        found=found,
        now=now,
        headline=headline(found),
        lead=lead(found),
        facts=facts(found),
        children_deck=children_deck(found),
        findings=findings(found),
        setting=setting(found),
        tables={
            "setup": tables.setup_table(found),
            "summary": tables.summary_table(found),
            "scores": tables.scores_table(found),
            "tests": tables.tests_table(found),
            "noise": tables.noise_table(found),
            "fairness": tables.fairness_table(found),
            "checklist": tables.checklist_table(found),
            "categories": tables.category_table(found),
            "cost": tables.cost_table(found),
            "other_devices": tables.other_devices_table(found),
            "measured": tables.measured_table(found),
            "volumes": tables.volume_table(found),
        },
        bars=tables.cost_bars(found),
        nothing_charged=nothing_charged(found.cost, "device time"),
        unpriced=unpriced(found),
        unit=tables.hour_unit(found.cost["gpu_hours"], found.devices).heading,
        cells=cells,
        wide=any(cell["wide"] for cell in cells),
        estimates=estimates(found),
        energy=energy_note(found.energy),
        answered=checklist_summary(found.checklist),
        curves=children_with_curves(found.learned),
        colours=[page_colours(name) for name in found.strategies],
        place={name: place for place, name in enumerate(found.strategies)},
        data=as_script(payload(found)),
        scripts=scripts,
        policy=policy(scripts.values()),
        short=lambda value: tables.NONE if math.isnan(value) else style.short(value),
        percent=tables.percent,
        score=judged_by(),
        priced=tables.priced(found),
    )


def best_cells(found: Contents) -> list[dict[str, Any]]:
    """Make the entries of the best architectures: their numbers, and a picture or the reason why there is none.

    Args:
        found: contents of the report.

    Returns:
        One entry per architecture, best first.
    """
    from nasbench.spaces import get_space

    cells = []
    for rank, row in enumerate(found.best.to_dict("records"), start=1):
        short = row["hash"][:HASH_DIGITS]
        picture, reason, wide = "", "", False
        try:
            space = get_space(row["space"])
            if not getattr(space, "has_networks", True):
                cells.append({**row, "rank": rank, "short": short, "picture": "", "wide": False})
                cells[-1]["reason"] = f"Not drawn: nothing is known of the networks of {row['space']}."
                continue
            structure = space.structure(decode_stored(space, row["choices"]))
            picture, wide = svg_of(structure, f"Architecture {short}"), isinstance(structure, CellPair)
        except UnknownName as error:
            reason = f"Not drawn: {error}."
        except InputError:  # no choices, or those that the space does not have
            reason = f"Not drawn: {row['choices'][:80]!r} is no architecture of {row['space']}."
        cells.append({**row, "rank": rank, "short": short, "picture": picture, "reason": reason, "wide": wide})
    return cells
