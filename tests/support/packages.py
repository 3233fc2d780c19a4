"""The packages of the suite and who imports whom, and their picture: `python tests/support/packages.py` draws it anew."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "pictures" / "packages.svg"
FOLDERS = ("nasbench", "runners", "analysis")

WIDTH, ROW, LEFT, HEIGHT, GAP = 860, 46, 84, 28, 10
LETTER = 6.9  # width of a letter of 12 pixels
COLOURS = {"runners": "#fde3cf", "analysis": "#d8ecdf", "nasbench": "#dbe6f6"}


def imports(path: Path) -> set[str]:
    """Names that a file imports, also inside functions: modules, and what is imported from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def package_of(module: str) -> str:
    """The package of a module; that of analysis, runners and store is told apart one level further down."""
    parts = module.split(".")[1:]
    if module.startswith("nasbench.store.errors"):
        return "store.errors"  # imports nothing, and every part of the store raises them
    deeper = parts[0] in ("analysis", "runners") or parts[:2] in (["store", "format"], ["store", "maintenance"])
    return ".".join(parts[: 2 if deeper else 1])


def arrows() -> dict[str, set[str]]:
    """Package -> the packages that it imports. Imports inside functions count: what a package needs lies below it."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            module = module if module.startswith("nasbench") else f"nasbench.{module}"
            names = {name for name in imports(path) if name.startswith("nasbench.")}
            if module not in ("nasbench", "nasbench.api"):
                found[package_of(module)] |= {package_of(name) for name in names} - {package_of(module)}
    return dict(found)


def floors() -> dict[str, int]:
    """Package -> its floor: 0 if it imports nothing of the suite, otherwise one above the highest that it imports."""
    below = arrows()
    found: dict[str, int] = {}
    for package in TopologicalSorter(below).static_order():
        found[package] = max((found[other] + 1 for other in below.get(package, ())), default=0)
    return found


def written_floors() -> dict[str, int]:
    """Package -> its floor in the table of docs/architecture.md."""
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: int(floor) for floor, names in rows for name in re.findall(r"`([\w.]+)`", names)}


def picture() -> str:
    """The floors of docs/architecture.md as SVG: a row of boxes per floor, coloured by folder."""
    placed = written_floors()
    rows: dict[int, list[str]] = defaultdict(list)
    for package, floor in placed.items():
        rows[floor].append(package)
    top, shapes = 40, []
    for floor in sorted(rows, reverse=True):
        shapes.append(f'<text x="8" y="{top + 19}" fill="#666">floor {floor}</text>')
        x = float(LEFT)
        for package in rows[floor]:
            wide = LETTER * len(package) + 18
            if x + wide > WIDTH:
                x, top = float(LEFT), top + ROW - GAP
            colour = COLOURS.get(package.partition(".")[0], COLOURS["nasbench"])
            shapes.append(f'<rect x="{x:.0f}" y="{top}" width="{wide:.0f}" height="{HEIGHT}" rx="5" fill="{colour}"/>')
            shapes.append(f'<text x="{x + 9:.0f}" y="{top + 19}">{package}</text>')
            x += wide + GAP
        top += ROW
    x = float(LEFT)
    for name, text in (("nasbench", "nasbench/"), ("runners", "runners/"), ("analysis", "analysis/")):
        shapes.append(f'<rect x="{x:.0f}" y="8" width="14" height="14" rx="3" fill="{COLOURS[name]}"/>')
        shapes.append(f'<text x="{x + 20:.0f}" y="20" fill="#444">{text}</text>')
        x += 110
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>', *shapes, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")
