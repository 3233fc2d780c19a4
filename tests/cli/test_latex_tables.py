"""LaTeX tables: a strict parser and, where there is one, TeX read them; each cell is the text that it was made of."""

from __future__ import annotations

import io
import shutil
import string
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import nasbench
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexMacroNode, LatexNode, LatexSpecialsNode, LatexWalker

from nasbench.cli.table_formats import format_table

CLAIMS = str(Path(__file__).parents[2] / "results" / "claims.h5")
NAS = str(Path(__file__).parents[2] / "results" / "cifar10-jpeg-nas.h5")
RULES = {"toprule", "midrule", "bottomrule"}
HOSTILE = [
    *(char for char in string.punctuation if char != "'"),  # an apostrophe becomes a typographic one, as in all papers
    *("a & b", "\\\\", "\\end{tabular}", "50% of it", "$x$", "#1", "a_b^c~d", "{", "}", "{}", "}{", "%"),
    *("[1, 2]", " [1, 2]", "*", " *", "[", "--", "---", "----", "``q", "?`", "<a>", "<<", "fi", ""),
    *("é", "ü", "ß", "—", "–", "≈", "≠", "×", "−", "±", "→", "α", "日本", "🙂"),
]
NUMBERS = [0.5, -0.25, 1.164e-06, -3e-20, 123456.0, np.inf, -np.inf, np.nan]
AS_TEXT = ["0.5", "-0.25", "1.164 × 10^-6", "-3 × 10^-20", "1.235 × 10^5", "∞", "-∞", ""]


def hostile() -> pd.DataFrame:
    names = HOSTILE * -(-len(NUMBERS) // 8)
    numbers = np.resize(np.array(NUMBERS), len(names))
    return pd.DataFrame({"[na_me": names, "50% & {x}": names[::-1], "n": range(len(names)), "x^2": numbers})


def parsed(text: str) -> list[list[str]]:
    """Read a tabular strictly, and return the text of the cells of each row."""
    nodes, _, length = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    assert length == len(text)
    tables = [node for node in nodes if isinstance(node, LatexEnvironmentNode)]
    assert [table.environmentname for table in tables] == ["tabular"]
    rows: list[list[list[LatexNode]]] = [[[]]]
    for node in tables[0].nodelist:
        if isinstance(node, LatexMacroNode) and node.macroname == "\\":
            rows.append([[]])
        elif isinstance(node, LatexSpecialsNode) and node.specials_chars == "&":
            rows[-1].append([])
        elif not (isinstance(node, LatexMacroNode) and node.macroname in RULES):
            rows[-1][-1].append(node)
    assert not as_text(rows.pop()[0])  # nothing after the last row
    return [[as_text(cell) for cell in row] for row in rows]


def as_text(nodes: list[LatexNode]) -> str:
    text = LatexNodes2Text(math_mode="text", keep_comments=True).nodelist_to_text(nodes)
    return text.translate({0x02C6: "^", 0x02DC: "~"}).strip()  # the parser's marks for the two macros


def test_every_character_arrives_in_its_cell():
    table = hostile()
    text = format_table("latex", table)
    head, *rows = parsed(text)
    assert head == list(table.columns)
    assert len(rows) == len(table)
    for row, names, other in zip(rows, table.iloc[:, 0], table.iloc[:, 1]):
        assert row[:2] == [cell.strip().replace("−", "-") for cell in (names, other)]
    assert [row[2] for row in rows] == [str(n) for n in range(len(table))]
    assert [row[3] for row in rows][: len(AS_TEXT)] == AS_TEXT


@pytest.mark.parametrize("cells", [["[1]", "a"], ["a", "[1]"], [" [1]", " *"], ["", ""], ["a\nb", "a\n\n b\tc"]])
def test_no_row_runs_into_another(cells):
    rows = parsed(format_table("latex", pd.DataFrame({cells[0]: cells, "n": [1, 2]})))
    assert [row[0] for row in rows] == [" ".join(cell.split()) for cell in (cells[0], *cells)]
    assert [row[1] for row in rows] == ["n", "1", "2"]
    grid = format_table("markdown", pd.DataFrame({"a": cells})).splitlines()
    assert len(grid) == 4


@pytest.mark.parametrize(
    "words",
    [
        ("compare", CLAIMS),
        ("compare", CLAIMS, "--test"),
        ("compare", CLAIMS, "--test", "--pairs", "--baseline", "random"),
        ("cost", CLAIMS, "--target", "0.9"),
        ("cost", CLAIMS, NAS),
        ("cost", CLAIMS, "--on", "V100"),
        ("cost", "--published", "--at", "V100"),
        ("claims", CLAIMS),
        ("power", CLAIMS, "--difference", "0.01"),
        ("bayesian", CLAIMS),
        ("speedup", CLAIMS, "--by", "children"),
        ("ranks", CLAIMS),
    ],
    ids=lambda words: " ".join(Path(word).name for word in words),
)
@pytest.mark.sampled(1)
def test_every_command_prints_a_table_that_parses(tmp_path, words):
    saved = ("-o", "x") if words[0] in ("cost", "claims", "ranks") or words == ("compare", CLAIMS) else ()
    texts = {}
    for form in ("latex", "csv"):
        done = nasbench(*words, *saved, "--table-format", form, "-q", cwd=tmp_path)
        assert done.code == 0, done.err
        texts[form] = done.out
    head, *rows = parsed(texts["latex"].strip())
    plain = pd.read_csv(io.StringIO(texts["csv"]))
    assert head == list(plain.columns)
    assert len(rows) == len(plain)
    assert {len(row) for row in rows} == {len(head)}
    for name in head[:2]:
        if plain[name].dtype.kind == "O":
            assert [row[head.index(name)] for row in rows] == plain[name].tolist()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX here")
def test_tex_compiles_it(tmp_path):
    table = hostile()
    table = table[table.iloc[:, :2].map(lambda cell: not any(char in cell for char in "α日本🙂")).all(axis=1)]
    packages = r"\documentclass{article}\usepackage{booktabs,geometry}\geometry{paperheight=90cm}"
    text = "\n".join([packages, r"\begin{document}\noindent", format_table("latex", table), r"\end{document}"])
    (tmp_path / "a.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    if b"booktabs.sty' not found" in done.stdout:
        pytest.skip("TeX without booktabs")
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert (tmp_path / "a.pdf").stat().st_size > 0
