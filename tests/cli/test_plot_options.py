"""-o, --format, --aspect and --font-size of every command that draws."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from commands import nasbench

from nasbench.cli.main import COMMANDS
from nasbench.cli.main import nasbench as group

ROOT = Path(__file__).parents[2]
CLAIMS, TABLE = str(ROOT / "results/claims.h5"), str(ROOT / "results/digits201.h5")

# command -> words that make it draw, the last of which is the option that names the picture
DRAWS = {
    "compare": ("compare", CLAIMS, "-o"),
    "curves": ("curves", CLAIMS, "-o"),
    "cost": ("cost", CLAIMS, "-o"),
    "claims": ("claims", CLAIMS, "-o"),
    "pareto": ("pareto", CLAIMS, "-o"),
    "ranks": ("ranks", CLAIMS, "-o"),
    "profiles": ("profiles", CLAIMS, "-o"),
    "targets": ("targets", CLAIMS, "--target", "0.9", "-o"),
    "regret": ("regret", CLAIMS, "-o"),
    "correlations": ("correlations", TABLE, "--between", "seeds", "-o"),
    "draw": ("draw", "nasnet-a", "-o"),
    "reproduce": ("reproduce", "--figure", "6", CLAIMS, "-o"),
    "show": ("show", "nasnet-a", "--picture"),
    "replay": ("replay", "--table", TABLE, "--strategy", "random", "--seeds", "5", "--budget", "20 children", "--plot"),
}
OTHERS = {
    "cost --on": ("cost", CLAIMS, "--on", "V100", "-o"),
    "cost --published": ("cost", "--published", "-o"),
    "pareto of two": ("pareto", CLAIMS, "--objectives", "error,params", "-o"),
    "pareto of three": ("pareto", CLAIMS, "--objectives", "error,params,mult_adds", "-o"),
    "a skeleton": ("draw", "nasnet-a", "--skeleton", "cifar", "-o"),
    **{f"figure {number}": ("reproduce", "--figure", number, "-o") for number in "2345"},
    "figure 1": ("reproduce", "--figure", "1", CLAIMS, "-o"),
    "figure 7": ("reproduce", "--figure", "7", CLAIMS, "-o"),
}
CAPTIONED = set(DRAWS) - {"draw", "show"}


def call(*words: str) -> None:
    done = CliRunner().invoke(group, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output


def commands() -> dict[str, click.Command]:
    """All commands of the registry, by name."""
    found = {}
    for name, (place, _) in COMMANDS.items():
        module, _, attribute = place.partition(":")
        found[name] = getattr(importlib.import_module(module), attribute)
    return found


def test_each_command_with_plot_options_is_tried_here():
    drawing = {
        name
        for name, command in commands().items()
        if {"aspect", "font_size"} & {parameter.name for parameter in command.params}
    }
    assert drawing == set(DRAWS)


def test_commands_save_figures_in_one_place_only():
    for path in (ROOT / "nasbench/cli").glob("*.py"):
        names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        imported = "analysis.plotting.saving import" in path.read_text()
        assert path.name == "plotting.py" or not (imported or "savefig" in names), path


@pytest.mark.sampled(1)
@pytest.mark.parametrize("words", [*DRAWS.values(), *OTHERS.values()], ids=[*DRAWS, *OTHERS])
def test_a_pdf_has_the_shape_and_embeds_truetype(words, tmp_path):
    call(*words, str(tmp_path / "fig.pdf"), "--aspect", "16:9", "--font-size", "12")
    made = {path.name for path in tmp_path.iterdir()}
    pdf = (tmp_path / "fig.pdf").read_bytes()
    width, height = (float(each) for each in re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf).groups())
    assert width / height == pytest.approx(16 / 9, rel=0.01)
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert made <= {"fig.pdf", "fig.csv", "fig.txt"}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", sorted(CAPTIONED - {"reproduce", "replay", "correlations"}))
def test_a_caption_names_data_space_protocol_and_runs(name, tmp_path):
    call(*DRAWS[name], str(tmp_path / "fig.pdf"))
    text = (tmp_path / "fig.txt").read_text()
    assert text.startswith("Caption of fig.pdf\n")
    assert "Data digits; space nasnet:blocks=2; protocol digits; 15 runs" in text
    assert "accuracy" in text or name == "cost"


def test_formats_of_a_stem_and_text_in_svg(tmp_path):
    call("draw", "nasnet-a", "-o", str(tmp_path / "cell"), "--format", "svg", "--format", "pdf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cell.pdf", "cell.svg"]
    assert ">normal cell</text>" in (tmp_path / "cell.svg").read_text()


def test_letters_of_a_drawing_have_the_size_asked_for(tmp_path):
    for size in ("10", "20"):
        call("draw", "nasnet-a", "-o", str(tmp_path / f"{size}.svg"), "--font-size", size)
    small, large = (
        {
            float(text)
            for text in re.findall(r"font(?:-size)?: (?:\d+ )?([\d.]+)px", (tmp_path / f"{size}.svg").read_text())
        }
        for size in ("10", "20")
    )
    assert any(abs(size - 10) < 0.1 for size in small)
    assert max(large) == pytest.approx(2 * max(small), rel=0.05)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--aspect", "16x9"), "the shape '16x9' is not W:H between 1:5 and 5:1; e.g. 16:9, 4:3 or 1:1"),
        (("--aspect", "1:0"), "the shape '1:0' is not W:H"),
        (("--aspect", "100:1"), "the shape '100:1' is not W:H"),
        (("--font-size", "0"), "the font size is in points, from 4 to 72, got 0; the usual one is 11"),
        (("-o", "fig.pdf", "--format", "png"), "'fig.pdf' is a pdf file, and the formats are png"),
        (("-o", "fig.jpg"), "cannot draw to 'fig.jpg'; the name must end in .png, .svg or .pdf"),
        (("--format", "gif"), "'gif' is not one of 'png', 'svg', 'pdf'"),
    ],
)
def test_a_wrong_option_is_one_line(words, message, tmp_path):
    done = nasbench("draw", "nasnet-a", *words, cwd=tmp_path)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_page_ends_with_its_command(tmp_path):
    from nasbench.analysis.plotting.page import Page, current_page

    call("draw", "nasnet-a", "-o", str(tmp_path / "cell.png"), "--aspect", "4:3", "--font-size", "9")
    assert current_page() == Page()


def test_other_files_are_not_replaced(tmp_path):
    (tmp_path / "fig.csv").write_text("hash,val_acc\n")
    done = nasbench("cost", CLAIMS, "-o", "fig.pdf", cwd=tmp_path)
    assert done.code == 2
    assert "fig.csv' exists and is no earlier table of this plot of nasbench; choose another name" in done.err
    assert (tmp_path / "fig.csv").read_text() == "hash,val_acc\n"
    assert not (tmp_path / "fig.pdf").exists()


@pytest.mark.slow
def test_an_earlier_table_of_the_same_plot_is_replaced(tmp_path):
    call("cost", CLAIMS, "-o", str(tmp_path / "fig.pdf"))
    call("cost", CLAIMS, "--target", "0.9", "-o", str(tmp_path / "fig.pdf"))
    assert "to_target" in (tmp_path / "fig.csv").read_text().splitlines()[0]


def test_make_pictures_makes_each_picture_of_the_documentation():
    import pictures

    made = set(
        re.findall(
            r"\{figures\}/([\w-]+)\.png",
            " ".join(
                (
                    pictures.FAMILY,
                    pictures.SECOND_EDITION,
                    *pictures.COMMANDS,
                    *pictures.TRANSNAS,
                    *pictures.OF_NASBENCH201,
                )
            ),
        )
    ) | {"report", "surrogate-claim"}  # the latter by benchmarks/surrogate_claim.py, which takes hours
    assert {path.stem for path in (ROOT / "docs/pictures").glob("*.png")} == made
    shown = "".join(path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    assert set(re.findall(r"pictures/([\w-]+)\.png", shown)) == made
