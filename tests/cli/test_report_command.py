"""`nasbench report`: a page or Markdown of shipped results; comparisons that a reviewer would refuse are refused."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
from commands import nasbench
from scipy.stats import kendalltau

CLAIMS = str(Path(__file__).parents[2] / "results" / "claims.h5")
TABLE = str(Path(__file__).parents[2] / "results" / "digits201.h5")
CIFAR = str(Path(__file__).parents[2] / "results" / "cifar10-jpeg-nasnet.h5")
LOSSES = str(Path(__file__).parents[2] / "results" / "conv-size-cifar16.h5")


def test_a_page_is_written_and_its_size_said(tmp_path):
    page = tmp_path / "pages" / "claims.html"
    done = nasbench("report", CLAIMS, "-o", str(page), "--target", "0.9", "--best", "2")
    assert done.code == 0, done.err
    assert done.out == f"wrote {page} ({page.stat().st_size / 1e6:.1f} MB)\n"
    text = page.read_text(encoding="utf-8")
    for said in ("Random, reinforce and ppo on nasnet:blocks=2", "5 of 5", "nasbench suite run claims"):
        assert said in text
    assert text.count('<svg class="cell"') == 2


def test_markdown_goes_to_the_standard_output():
    done = nasbench("report", CLAIMS, "--format", "md")
    assert done.code == 0, done.err
    assert done.out.startswith("## Random, reinforce and ppo on nasnet:blocks=2\n")
    for section in ("### Comparison", "### Cost", "### Best architectures", "Best-practices checklist", "Provenance"):
        assert section in done.out
    assert len(done.out) < 65_536  # GitHub's limit for a comment


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([CLAIMS, CIFAR], "they differ in protocol"),
        ([CLAIMS, "-w", "strategy != 'random'"], "baseline: No random search here"),
        ([CLAIMS, "-w", "val_acc > 2"], "no children match"),
        ([CLAIMS, "--from", "V100"], "name these by --on"),
        ([CLAIMS, "--on", "K9"], "no price for device 'K9'"),
        ([CLAIMS, "--target", "90"], "a fraction in [0, 1]"),
        ([TABLE, "--target", "0.9"], "a target needs searches, and these are rows of a complete table"),
        ([TABLE, "--on", "V100"], "an estimate for other devices needs searches"),
    ],
)
def test_what_cannot_be_reported_is_said_in_one_line(words, said, tmp_path):
    page = tmp_path / "page.html"
    done = nasbench("report", *words, "-o", str(page))
    assert done.code == 2
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not page.exists()


def test_two_seeds_are_called_too_few():
    done = nasbench("report", CLAIMS, "-w", "run_seed < 2", "--format", "md")
    assert done.code == 0, done.err
    assert "Insufficient seeds for an interval (fewer than 5): ppo 2, random 2, reinforce 2" in done.out
    assert "n too small (n=2 and 2; 5 seeds a side are the least)" in done.out


def test_other_devices_cost_the_users_usual_price(monkeypatch):
    monkeypatch.setenv("NASBENCH_PRICE", "7.5")
    done = nasbench("report", CLAIMS, "--on", "V100", "--format", "md")
    assert done.code == 0, done.err
    assert "note: price 7.5, from environment NASBENCH_PRICE" in done.err
    assert "7.5 USD/h" in done.out
    plain = nasbench("report", CLAIMS, "--format", "md")
    assert "7.5 USD/h" not in plain.out


SUMMARY = (
    "16,275 trainings of 5,425 architectures, 3 seeds; mean validation accuracy 10.00 to 94.37 %, median 71.19 %; "
)


def test_the_report_on_a_complete_table_is_a_page_and_one_line(tmp_path):
    page = tmp_path / "table.html"
    done = nasbench("report", TABLE, "-o", str(page), "--best", "2", "--title", "<i>T")
    assert done.code == 0, done.err
    wrote, summary = done.out.splitlines()
    assert wrote == f"wrote {page} ({page.stat().st_size / 1e3:.1f} kB)"
    assert summary.startswith(SUMMARY)
    assert summary.endswith(f"More: nasbench table stats {TABLE}")
    text = page.read_text(encoding="utf-8")
    assert SUMMARY in text
    assert "<script" not in text
    assert "<h1>&lt;i&gt;T</h1>" in text
    assert "default-src 'none'; style-src" in html.unescape(text)  # and no source of scripts
    assert "; 8.13 device-hours; seeds of one architecture" in text
    assert '<td class="text">5a3c9dfd9ad8</td>' in text
    assert "9d6b857fa615" not in text  # the fourth
    assert nasbench("report", TABLE, "-o", str(page)).code == 0  # an earlier report is replaced


def test_its_numbers_are_those_of_table_stats():
    report, stats = nasbench("report", TABLE, "--format", "md", "--best", "5"), nasbench("table", "stats", TABLE)
    assert (report.code, stats.code) == (0, 0), report.err + stats.err
    cells = [line.strip("| ").split(" | ") for line in report.out.splitlines() if line.startswith("|")]
    numbers = {row[0]: row[1:] for row in cells}
    printed = {line.split("  ")[0].strip(): line.split() for line in stats.out.splitlines()}
    for seeds in ("0 against seed 1", "0 against seed 2", "1 against seed 2"):
        name = f"val_acc seed {seeds}"
        assert numbers[name][1:] == printed[name][-2:]
    for digest in ("5a3c9dfd9ad8", "4ad2c5004442"):
        assert float(numbers[digest][1]) == pytest.approx(100 * float(printed[digest][2]), abs=0.006)
    assert (
        "seeds of one architecture have an SD of 7.46 points, and two seeds rank alike by 0.81 to 0.84 (Spearman)."
        in report.out
    )


def test_a_table_of_one_seed_has_no_agreement():
    done = nasbench("report", TABLE, "--format", "md", "-w", "seed == 0")
    assert done.code == 0, done.err
    assert "5,425 trainings of 5,425 architectures, 1 seed; " in done.out
    assert "Spearman)" not in done.out


def test_the_default_of_chance_is_that_of_table_stats():
    from nasbench.analysis.statistics.table_statistics import CHANCE
    from nasbench.cli.table import stats

    assert [option.default for option in stats.params if option.name == "chance"] == [CHANCE]


def test_a_loss_has_its_own_rank_correlations():
    """Larger networks have less loss: the correlations are those of the file's losses, as scipy computes them."""
    import nasbench as api

    frame = api.open(LOSSES).frame()
    means = frame[(frame["status"] == "ok") & (frame["seed"] < 2)].groupby("hash")[["val_loss", "params"]].mean()
    tau = float(kendalltau(means["val_loss"], means["params"]).statistic)
    assert tau < -0.5
    for words in (("report", LOSSES, "--format", "md"), ("table", "stats", LOSSES)):
        done = nasbench(*words, "-y", "val_loss", "-w", "seed < 2")
        assert done.code == 0, done.err
        rows = [line.replace("|", " ").split() for line in done.out.splitlines()]
        (of_params,) = [row for row in rows if len(row) == 4 and row[0] == "params" and row[1] in ("1024", "1,024")]
        assert float(of_params[-1]) == pytest.approx(tau, abs=1e-4)
        assert "val_loss seed 0 against seed 1" in done.out
        assert "val_loss after epoch 1" in done.out
        assert "val_acc" not in done.out
