"""The report's page: self-contained, small, safe from the texts in it, and working in a browser."""

from __future__ import annotations

import pytest
from chromium import Browser, find_chromium

from nasbench.analysis.pareto import pareto_front
from nasbench.analysis.report.contents import Selection, contents
from nasbench.analysis.report.markdown import markdown_report
from nasbench.analysis.report.page import html_report

NOW = "2026-01-02T03:04:05"
HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def selection(make):
    frame, runs, curves = make.frames(seeds=5)
    counts = frame.groupby("hash")[["params", "mult_adds"]].transform("max")  # one network has one count
    return Selection(frame.assign(choices="[]", space="unknown-space", **counts), runs, curves, ())


@pytest.fixture(scope="module")
def page(selection, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html_report(contents(selection), NOW), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    program = find_chromium()
    if program is None:
        pytest.skip("no chromium or google-chrome on the PATH: the page is not tried in a browser")
    running = Browser(program)
    yield running
    running.close()


def test_a_hostile_name_stays_text(selection):
    def renamed(frame):
        return frame.assign(strategy=frame["strategy"].replace("ppo", HOSTILE))

    found = contents(Selection(renamed(selection.frame), renamed(selection.runs), selection.curves, ()))
    assert HOSTILE not in html_report(found, NOW)
    assert HOSTILE not in markdown_report(found, NOW)


def test_twenty_thousand_children_fit_into_five_megabytes(make):
    frame, runs, curves = make.frames(seeds=34, children=200, epochs=1)
    assert len(frame[frame["stage"] == "search"]) >= 20_000
    frame = frame.assign(choices="[]", space="unknown-space")
    assert len(html_report(contents(Selection(frame, runs, curves, ())), NOW).encode()) < 5e6


def test_the_page_works_in_a_browser(browser, page, selection):
    tab = browser.open(page)
    front = pareto_front(selection.frame)
    assert tab.js("document.getElementById('plane').dataset.points") == str(len(front))
    assert tab.js("document.getElementById('plane').dataset.front") == str(int(front["front"].sum()))
    x, y = tab.middle("#plane .on-front")
    tab.move(x, y)
    assert tab.js("!document.getElementById('tip').hidden")
    tab.click("#children-table th[data-key=params] button")
    assert tab.js("document.querySelector('[data-key=params]').getAttribute('aria-sort')") == "descending"
    largest = selection.frame.loc[selection.frame["stage"] == "search", "params"].max()
    assert f"{largest:,}" in tab.js("document.querySelector('#children-table tbody tr').textContent")
    tab.js("document.querySelector('#table-filter input').focus()")
    tab.type("ppo")
    assert tab.js(
        "[...document.querySelectorAll('#children-table tbody tr')].every(r => r.textContent.includes('ppo'))"
    )
    assert tab.complaints() == []
    assert tab.requests() == [page.resolve().as_uri()]
    tab.close()


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_needs_no_sideways_scrolling(browser, page, dark):
    tab = browser.open(page, width=390, dark=dark)
    assert tab.js("document.documentElement.scrollWidth") <= 390
    assert tab.js("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    tab.close()
