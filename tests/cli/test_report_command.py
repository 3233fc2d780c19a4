"""`nasbench report`: a page or Markdown of shipped results; comparisons that a reviewer would refuse are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import nasbench

CLAIMS = str(Path(__file__).parents[2] / "results" / "claims.h5")
CIFAR = str(Path(__file__).parents[2] / "results" / "cifar10-jpeg-nasnet.h5")


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
