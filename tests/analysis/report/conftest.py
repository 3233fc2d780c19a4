"""One made-up report and one browser for all tests of the page."""

from __future__ import annotations

import pytest
from chromium import Browser, find_chromium

from nasbench.analysis.report.contents import Selection, Wishes, contents
from nasbench.analysis.report.page import html_report

NOW = "2026-01-02T03:04:05"


@pytest.fixture(scope="session")
def selection(make):
    frame, runs, curves = make.frames(seeds=5)
    return Selection(frame.assign(choices="[]", space="unknown-space"), runs, curves, ())


@pytest.fixture(scope="session")
def page(selection, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    found = contents(selection, Wishes(target=0.9, command="nasbench report results/made-up.h5 --target 0.9"))
    path.write_text(html_report(found, NOW), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def browser():
    program = find_chromium()
    if program is None:
        pytest.skip("no chromium or google-chrome on the PATH: the page is not tried in a browser")
    running = Browser(program)
    yield running
    running.close()
