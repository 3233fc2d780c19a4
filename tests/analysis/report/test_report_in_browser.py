"""The report's page in a headless Chromium: pointer, keyboard, finger, paper; and nothing is asked of any network."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from chromium import PAINTED

from nasbench.analysis.pareto.objectives import attainment, objective_points
from nasbench.analysis.pareto.pareto import pareto_front
from nasbench.analysis.report.contents import Selection, Wishes, contents
from nasbench.analysis.report.page import html_report
from nasbench.expressions.frames import rows_where
from nasbench.scores import Score, judging

SECTIONS = [
    "What was run",
    "Comparison",
    "Cost",
    "Accuracy and size",
    "Learning curves",
    "Best architectures",
    "Children",
    "Is the comparison fair?",
    "Best practices",
    "Provenance",
]
PAPER = 710  # CSS pixels of A4 less the margins
ACTIVE = "document.activeElement"
SHOWN = "[...document.querySelectorAll('#children-table tbody tr')].map(row => row.textContent)"


# Texts of a contrast below 4.5 (WCAG 2.1, criterion 1.4.3) to the ground of the nearest element that has one; drawn cells apart.
FAINT = """(() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const linear = (part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const groundOf = (element) => {
    const colour = rgba(getComputedStyle(element).backgroundColor);
    return colour[3] > 250 ? colour : groundOf(element.parentElement);
  };
  return [...document.querySelectorAll("main *, nav *")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
    .filter((element) => element.getClientRects().length && !element.disabled && !element.closest(".cell, script"))
    .filter((element) => {
      const { fill, color } = getComputedStyle(element);
      const [a, b] = [luminance(rgba(element instanceof SVGElement ? fill : color)), luminance(groundOf(element))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
    })
    .map((element) => element.textContent.trim());
})()"""


@pytest.fixture
def opened(browser, page):
    """`opened(width=..., dark=...)`: a tab with the page, which at the end has complained of nothing and asked for nothing."""
    tabs = []

    def open_tab(**options):
        tabs.append(browser.open(page, **options))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        assert tab.complaints() == []
        assert [url for url in tab.requests() if not url.startswith("blob:")] == [page.resolve().as_uri()]
        tab.close()


@pytest.fixture
def children(selection):
    return selection.frame[selection.frame["stage"] == "search"]


def points(tab) -> int:
    return int(tab.js("document.getElementById('plane').dataset.points"))


def seek(tab, selector: str, at_most: int = 120) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(at_most):
        if tab.js(f"{ACTIVE}.matches({json.dumps(selector)})"):
            tab.js(PAINTED)  # the page scrolls to what has the focus
            return
        tab.press("Tab")
    raise AssertionError(f"Tab never reaches {selector}")


@pytest.mark.slow
def test_a_pointer_reads_the_plots(opened, selection):
    tab = opened()
    front = pareto_front(selection.frame)
    assert points(tab) == len(front)
    assert tab.js("document.getElementById('plane').dataset.front") == str(int(front["front"].sum()))
    tab.move(*tab.middle("#plane .on-front"))
    assert "on the front" in tab.js("document.getElementById('tip').textContent")
    tab.move(*tab.middle("#courses .plot"))
    tip = tab.js("document.getElementById('tip').textContent")
    assert all(f"{name} (n=5)" in tip for name in ("random", "reinforce", "ppo"))
    tab.move(*tab.middle("h1"))
    assert tab.js("document.getElementById('tip').hidden")


@pytest.mark.slow
def test_the_plane_is_filtered_by_strategy_by_words_and_by_a_rectangle(opened, children, selection):
    tab = opened()
    front = pareto_front(selection.frame)
    tab.click("#pareto-filter .chip:nth-child(1)")
    assert points(tab) == len(front[front["strategy"] != "random"])
    tab.click("#pareto-filter .chip:nth-child(1)")
    middle = int(front["params"].median())
    tab.js("document.querySelector('#pareto-filter input').focus()")
    tab.type(f"params <= {middle}")
    assert points(tab) == len(pareto_front(children[children["params"] <= middle]))
    assert f"{(children['params'] <= middle).sum():,} of {len(children):,}" in tab.js(
        "document.querySelector('#table-filter .count').textContent"
    )
    tab.type(" and parms < 3")
    shown = tab.js("document.querySelector('#pareto-filter .count').textContent")
    assert "This cannot be read, position" in shown
    assert "unknown name “parms”, did you mean “params”?" in shown
    tab.click("#pareto-filter .clear")
    tab.js("document.querySelector('#pareto-filter input').focus()")
    tab.type("val_acc > 90")
    assert tab.js("document.querySelector('#pareto-filter .count').textContent").startswith(f"0 of {len(children):,}")
    assert "write val_acc > 0.9 or val_acc > 90%" in tab.js(
        "document.querySelector('#pareto-filter .count').textContent"
    )
    tab.click("#pareto-filter .clear")
    x, y = tab.middle("#plane .plot")
    tab.drag((x - 150, y - 120), (x + 150, y + 60))
    query = tab.js("document.querySelector('#table-filter input').value")
    kept = children[rows_where(children.round({"val_acc": 5}), query)]
    assert 0 < len(kept) < len(children)
    assert f"{len(kept):,} of" in tab.js("document.querySelector('#pareto-filter .count').textContent")
    tab.js("document.getElementById('plane').focus()")
    tab.press("Escape")
    assert points(tab) == len(front)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("width", [1280, 390])
def test_the_table_is_sorted_and_searched(opened, children, width):
    tab = opened(width=width)
    tab.click("#children-table th[data-key=params] button")
    assert tab.js("document.querySelector('[data-key=params]').getAttribute('aria-sort')") == "descending"
    assert f"{children['params'].max():,}" in tab.js(SHOWN)[0]
    tab.click("#children-table th[data-key=params] button")
    assert f"{children['params'].min():,}" in tab.js(SHOWN)[0]
    tab.click("#table-filter input")
    tab.type("ppo")
    rows = tab.js(SHOWN)
    assert len(rows) == 25
    assert all(row.startswith("ppo") for row in rows)
    tab.type(" nothing-like-this")
    assert tab.js(SHOWN) == ["No child fits."]
    assert "no strategy, status or beginning of a hash" in tab.js(
        "document.querySelector('#table-filter .count').textContent"
    )


@pytest.mark.slow
def test_the_keyboard_reaches_and_works_everything(opened, children):
    tab = opened()
    tab.press("Tab")
    assert tab.js(f"{ACTIVE}.className") == "skip"
    seek(tab, "nav a[href='#run']")
    seek(tab, "#theme")
    tab.press("Enter")
    assert tab.js("document.documentElement.dataset.theme") == "dark"
    seek(tab, "#courses .plot-host")
    assert tab.js(f"parseFloat(getComputedStyle({ACTIVE}).outlineWidth)") >= 2
    tab.press("ArrowLeft")
    assert not tab.js("document.getElementById('tip').hidden")
    assert "random (n=5)" in tab.js("document.getElementById('said').textContent")
    seek(tab, "#pareto-filter .chip")
    tab.press(" ")
    assert tab.js(f"{ACTIVE}.getAttribute('aria-pressed')") == "false"
    tab.press(" ")
    seek(tab, "#pareto-filter input")
    seek(tab, "#plane")
    tab.press("Home")
    tab.press("ArrowRight")
    seek(tab, "#table-filter input")
    tab.type("reinforce")
    assert all(row.startswith("reinforce") for row in tab.js(SHOWN))
    seek(tab, "[data-key=params] button")
    tab.press("Enter")
    tab.press(" ")
    assert tab.js("document.querySelector('[data-key=params]').getAttribute('aria-sort')") == "ascending"
    assert tab.js("document.getElementById('said').textContent") == "Sorted by Parameters, smallest first"
    seek(tab, ".csv")
    tab.js("document.getElementById('plane').focus()")
    tab.press("Home")
    tab.press("ArrowRight")
    shown = tab.js("document.querySelector('#tip .tip-title').textContent")
    tab.press("Enter")
    found = children[children["hash"].str.startswith(shown)]
    assert len(tab.js(SHOWN)) == min(25, len(found))


@pytest.mark.slow
def test_what_the_table_shows_is_saved_as_csv(opened, children, browser, tmp_path):
    tab = opened()
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    tab.js("document.querySelector('#table-filter input').focus()")
    tab.type("strategy == 'ppo' and val_acc > 50%")
    tab.click(".csv")
    saved = tmp_path / "children.csv"
    tab.wait(saved.exists, "children.csv is saved")
    table = pd.read_csv(saved)
    wanted = children[(children["strategy"] == "ppo") & (children["val_acc"] > 0.5)]
    assert table["val"].tolist() == pytest.approx(sorted(wanted["val_acc"], reverse=True), abs=1e-5)
    assert set(table["params"]) == set(wanted["params"])


@pytest.mark.slow
def test_the_numbers_of_a_plot_are_saved_as_csv(opened, selection, browser, tmp_path):
    tab = opened()
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    names = [
        "val_acc-by-children",
        "final-val_acc",
        "val_acc-against-params",
        "curves-of-the-best",
        "attained-by-params",
    ]
    for place, name in zip(("#courses", "#finals", "#pareto-plot", "#curves", "#attained"), names):
        tab.click(f"{place} .save")
        tab.wait((tmp_path / f"{name}.csv").exists, f"{name}.csv is saved")
    course, finals, plane, best, attained = (pd.read_csv(tmp_path / f"{name}.csv") for name in names)
    ends = course.groupby("strategy")["median"].last()
    assert ends.to_dict() == pytest.approx(finals.groupby("strategy")["val_acc"].median().to_dict(), abs=2e-5)
    front = pareto_front(selection.frame)
    assert plane["n"].sum() == front["n"].sum()
    assert set(plane.loc[plane["front"], "hash"]) == set(front.loc[front["front"], "hash"].str.slice(0, 12))
    surfaces = attainment(objective_points(selection.frame, ("error", "params"), by_run=True), ("error", "params"))
    order = ["strategy", "percent", "params"]
    assert attained.sort_values(order)[["runs", "percent"]].to_numpy().tolist() == (
        surfaces.sort_values(order)[["runs", "percent"]].to_numpy().tolist()
    )
    assert sorted(attained["val_acc"]) == pytest.approx(sorted(1 - surfaces["error"]), abs=1e-5)
    assert best.groupby("rank")["epoch"].max().tolist() == [8] * 6


@pytest.mark.slow
def test_a_command_is_copied(opened, browser):
    tab = opened()
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    tab.call("Page.bringToFront")
    tab.click(".copy")
    tab.until("document.querySelector('.copy').textContent === 'Copied'")
    assert tab.js("navigator.clipboard.readText()") == "nasbench report results/made-up.h5 --target 0.9"


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read_and_every_control_has_a_name(browser, selection, tmp_path, dark):
    names = {"reinforce": "zero_cost", "ppo": "enas"}  # the palest on white

    def renamed(frame):
        return frame.assign(strategy=frame["strategy"].replace(names))

    path = tmp_path / "pale.html"
    pale = Selection(renamed(selection.frame), renamed(selection.runs), selection.curves, ())
    path.write_text(html_report(contents(pale), "2026-01-02T03:04:05"), encoding="utf-8")
    tab = browser.open(path, dark=dark)
    assert tab.js(FAINT) == []
    named = "one.textContent.trim() || one.ariaLabel || (one.labels ?? []).length"
    controls = "[...document.querySelectorAll('button, input, select, a, [role=img]')]"
    assert tab.js(f"{controls}.filter(one => !({named})).map(one => one.outerHTML)") == []
    tab.close()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_needs_no_sideways_scrolling(opened, dark):
    tab = opened(width=390, dark=dark)
    assert tab.js("document.documentElement.scrollWidth") <= 390
    assert tab.js("document.documentElement.dataset.theme") == ("dark" if dark else "light")


@pytest.mark.slow
def test_a_finger_reads_a_point_and_then_finds_it(opened):
    tab = opened(width=390)
    tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
    x, y = tab.middle("#plane .on-front")
    for taps in (1, 2):
        tab.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        tab.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        if taps == 1:
            tab.until("!document.getElementById('tip').hidden")
            shown = tab.js("document.querySelector('#tip .tip-title').textContent")
    tab.until(f"document.querySelector('#table-filter input').value === {json.dumps(shown)}")


@pytest.mark.slow
def test_no_table_scrolls_sideways_on_a_desk(browser, selection, tmp_path):
    def renamed(frame):  # the longest name of a built-in strategy
        return frame.assign(strategy=frame["strategy"].replace("ppo", "reinforce_logits"))

    long = Selection(renamed(selection.frame), renamed(selection.runs), selection.curves, ())
    path = tmp_path / "long.html"
    path.write_text(html_report(contents(long, Wishes(target=0.9)), "2026-01-02T03:04:05"), encoding="utf-8")
    tab = browser.open(path, width=1200)
    wide = "[...document.querySelectorAll('.scroller')].filter(box => box.scrollWidth > box.clientWidth)"
    assert tab.js(f"{wide}.map(box => box.getAttribute('aria-label'))") == []
    tab.close()


@pytest.mark.slow
def test_paper_has_every_section_and_no_table_is_cut(opened):
    tab = opened()
    printed = tab.call("Page.printToPDF", printBackground=True, generateDocumentOutline=True)
    assert len(printed["data"]) > 50_000
    tab.resize(PAPER, 1000)
    tab.call("Emulation.setEmulatedMedia", media="print")
    headings = "[...document.querySelectorAll('section')].filter(one => one.offsetHeight > 60).map(one => one.querySelector('h2').textContent)"
    assert tab.js(headings) == SECTIONS
    cut = f"[...document.querySelectorAll('table, figure, svg.plot')].filter(one => one.getBoundingClientRect().right > {PAPER} + 1)"
    assert tab.js(f"{cut}.map(one => one.id || one.textContent.slice(0, 40))") == []
    assert tab.js("document.documentElement.scrollWidth") <= PAPER
    hidden = "nav, .filter, .controls, .pager, .copy, .hint"
    assert tab.js(f"[...document.querySelectorAll({json.dumps(hidden)})].every(one => one.offsetHeight === 0)")
    assert "25 of" in tab.js("document.getElementById('on-paper').innerText")


@pytest.mark.parametrize(
    ("known", "offered"),
    [(("params", "mult_adds"), ["params", "mult_adds"]), (("mult_adds",), ["mult_adds"]), ((), [])],
    ids=["sizes", "multiply-adds", "nothing"],
)
def test_costs_that_are_missing_everywhere_are_not_offered(browser, make, tmp_path, known, offered):
    """Of runs that are judged by a loss, too; their seconds are unknown."""
    frame, runs, curves = make.frames(strategies=("random",), seeds=2, children=10, retrained=0)
    sizes = {name: 1000 if name in known else -1 for name in ("params", "mult_adds")}
    frame = frame.assign(choices="[]", space="unknown-space", device_seconds=float("nan"), **sizes)
    path = tmp_path / "loss.html"
    with judging(Score("val_loss", "test_loss", "nats", "lower")):
        found = contents(Selection(frame.assign(val_acc=-frame["val_acc"]), runs, curves, ()))
        path.write_text(html_report(found, "2026-01-02T03:04:05"), encoding="utf-8")
    tab = browser.open(path)
    assert tab.js("[...document.querySelectorAll('#pareto-x option')].map(one => one.value)") == offered
    said = tab.js("document.getElementById('plane').textContent")
    assert ("Neither the sizes of these architectures" in said) == (not offered)
    assert "No child with a score is left" not in said
    assert tab.complaints() == []
    tab.close()
