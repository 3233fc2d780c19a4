"""The page of a report on harmful texts in a headless Chromium: all of them are shown, none of them does anything."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hostile import TEXTS, hostile_file

from nasbench.analysis.report.contents import Selection, Wishes, contents
from nasbench.analysis.report.page import html_report
from nasbench.errors import printable
from nasbench.store.query import Results


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    results = Results(str(hostile_file(folder / "evil.h5", seeds=2, children=4)))
    selection = Selection.of(results, results.frame())
    allowed = ("searcher", "space", "children", "duplicates", "budget", "protocol")
    path = folder / "report.html"
    found = contents(selection, Wishes(allow=allowed, command=f"nasbench report {printable(TEXTS[0])}"))
    path.write_text(html_report(found, "2026-01-02T03:04:05"), encoding="utf-8")
    return path


def test_harmful_texts_are_shown_and_do_nothing(browser, hostile_page, tmp_path):
    tab = browser.open(hostile_page)
    assert tab.complaints() == [], "the security policy had nothing to forbid"
    assert tab.requests() == [hostile_page.resolve().as_uri()]
    assert tab.js(
        "[document.images.length, document.querySelectorAll('iframe, object, embed, base, form').length]"
    ) == [0, 0]
    assert tab.js("document.scripts.length") == 3, "theme, data and the page's own"
    names = tab.js("DATA.strategies.map(strategy => strategy.name)")
    assert sorted(names) == sorted(["random", *map(printable, TEXTS)])
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    tab.js("document.querySelector('#table-filter input').focus()")
    tab.type("strategy == '+1+cmd' or startswith(strategy, '=cmd')")
    tab.click(".csv")
    saved = tmp_path / "children.csv"
    tab.wait(saved.exists, "children.csv is saved")
    table = pd.read_csv(saved)
    assert set(table["strategy"]) == {"'+1+cmd", "'=cmd|' /C calc'!A0"}
    tab.js("document.querySelector('#table-filter input').select()")
    tab.type("<img src=x onerror=alert(1)>")
    shown = tab.js("document.querySelector('#table-filter .count').textContent")
    assert shown.startswith("This cannot be read, position"), json.dumps(shown)
    assert tab.js("document.images.length") == 0
    assert tab.complaints() == []
    tab.close()
