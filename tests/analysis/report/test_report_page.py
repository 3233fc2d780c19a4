"""The report's page and its Markdown: self-contained, small, and safe from the texts in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from markupsafe import escape

from nasbench.analysis.comparison.compare import anytime, bands
from nasbench.analysis.report.contents import Selection, Wishes, contents
from nasbench.analysis.report.markdown import markdown_report
from nasbench.analysis.report.page import html_report
from nasbench.analysis.report.payload import course
from nasbench.analysis.report.tables import category_table, hour_unit, noise_table, other_devices_table
from nasbench.analysis.report.wording import estimates, setting

NOW = "2026-01-02T03:04:05"
HOSTILE = "</script><script>alert(1)</script>"


def test_a_hostile_name_stays_text(selection):
    def renamed(frame):
        return frame.assign(strategy=frame["strategy"].replace("ppo", HOSTILE))

    found = contents(Selection(renamed(selection.frame), renamed(selection.runs), selection.curves, ()))
    assert HOSTILE not in html_report(found, NOW)
    assert HOSTILE not in markdown_report(found, NOW)


@pytest.mark.slow
def test_twenty_thousand_children_fit_into_five_megabytes(make):
    frame, runs, curves = make.frames(seeds=34, children=200, epochs=1, retrained=0)
    assert len(frame[frame["stage"] == "search"]) >= 20_000
    rng = np.random.default_rng(0)
    frame = frame.assign(  # no two alike, so that nothing can be written once for several
        choices="[]",
        space="unknown-space",
        hash=[rng.bytes(16).hex() for _ in range(len(frame))],
        params=rng.integers(10**6, 10**7, len(frame)),
        mult_adds=rng.integers(10**8, 10**9, len(frame)),
    )
    assert len(html_report(contents(Selection(frame, runs, curves, ())), NOW).encode()) < 5e6


def test_the_categories_of_the_ledger_add_up(selection):
    found = contents(selection)
    table = category_table(found)
    assert {column.heading for column in table.columns[1:]} == {"training", "evaluation", "failed", "searcher", "final"}
    for row, total in zip(table.rows, found.cost["gpu_hours"]):
        unit = hour_unit(found.cost["gpu_hours"], found.devices)
        assert sum(float(cell.main.replace(",", "")) for cell in row[1:]) == pytest.approx(
            total * unit.per_hour, rel=0.01
        )


def test_other_devices_are_marked_as_estimates(selection):
    found = contents(selection, Wishes(on=("V100", "A100")))
    table = other_devices_table(found)
    assert [column.heading.split(",")[0].split(":")[0] for column in table.columns] == [
        "Strategy",
        "As run",
        "V100",
        "A100",
    ]
    assert all("estimated" in column.heading for column in table.columns[2:])
    assert all(cell.main.startswith("≈") for row in table.rows for cell in row[2:])
    text = html_report(found, NOW)
    assert all(str(escape(line)) in text for line in estimates(found))
    assert "hollow" not in text + markdown_report(found, NOW)
    assert other_devices_table(contents(selection)).rows == []


@pytest.mark.slow
def test_what_was_not_priced_has_no_column_of_usd(selection):
    free = Selection(selection.frame, selection.runs.assign(usd=0.0), selection.curves, ())
    assert "USD per run" in html_report(contents(selection), NOW)
    assert "USD per run" not in html_report(contents(free), NOW)
    assert "USD" not in markdown_report(contents(free), NOW)


@pytest.mark.slow
def test_the_choosing_score_stands_beside_fresh_trainings(selection):
    from dataclasses import replace

    assert not noise_table(contents(selection)).rows  # the final rows have the seeds of their searches
    final = selection.frame["stage"] == "final"
    fresh = replace(selection, frame=selection.frame.assign(seed=selection.frame["seed"] + 1000 * final))
    table = noise_table(contents(fresh))
    assert [row[0].main for row in table.rows] == list(contents(fresh).strategies)
    assert all(row[4].main[0] in "+-" for row in table.rows)
    page, text = html_report(contents(fresh), NOW), markdown_report(contents(fresh), NOW)
    assert "against trainings with other seeds" in page
    assert "against trainings with other seeds" in text


def test_the_facts_count_the_children_that_the_budget_covers(selection):
    from dataclasses import replace

    from nasbench.analysis.report.wording import children_deck, facts

    frame = selection.frame.copy()
    last = frame[frame["stage"] == "search"].index[-1]
    before = facts(contents(selection))[1]
    frame.loc[last, ["counted", "status"]] = [False, "unfinished"]
    frame.loc[last, "val_acc"] = float("nan")
    runs = selection.runs.copy()
    runs.loc[runs["run"] == frame["run"][last], "children"] -= 1
    found = contents(replace(selection, frame=frame, runs=runs))
    after = facts(found)[1]
    assert int(before.value.replace(",", "")) - int(after.value.replace(",", "")) == 1
    assert (before.what, after.what) == ("children", f"children within the budget, of {before.value}")
    assert children_deck(contents(selection)) == "Every proposed architecture."
    said = f"{before.value} children. The tables above count the {after.value} within the budget."
    assert children_deck(found) == f"Every proposed architecture: {said}"
    assert said in html_report(found, NOW)
    assert f"**{after.value}** {after.what}" in markdown_report(found, NOW)


def test_a_line_ends_at_what_its_runs_spent(make):
    """Of children of an hour each, random search has 3 and evolution 6: its line goes on to 6 hours and theirs does not."""
    rows = [
        {"run": name, "strategy": name, "hash": f"{hour}", "val_acc": 0.1 * hour, "spent_gpu_hours": hour}
        for name, hours in (("random", 3), ("evolution", 6))
        for hour in range(1, hours + 1)
    ]
    frame, runs = make.children(rows), make.runs([{"run": name, "strategy": name} for name in ("random", "evolution")])
    table = bands(anytime(frame, runs, "gpu_hours", scores_only=True))
    drawn = {one["s"]: one for one in course(table, ["random", "evolution"])["series"]}
    assert (drawn[0]["x"], drawn[0]["median"]) == ([1, 2, 3], pytest.approx([0.1, 0.2, 0.3]))
    assert drawn[1]["x"] == [1, 2, 3, 4, 5, 6]
    between = bands(anytime(frame, runs, "gpu_hours", grid=[1.0, 2.5, 6.0], scores_only=True))
    first = next(one for one in course(between, ["random", "evolution"])["series"] if one["s"] == 0)
    assert (first["x"], first["median"]) == ([1, 2.5, 3], pytest.approx([0.1, 0.2, 0.3]))


BEGUN, ENDED = "2026-03-01T10:00:00.000+00:00", "2026-03-01T11:30:00.000+00:00"


@pytest.mark.parametrize(
    ("ends", "configs", "text"),
    [
        ((ENDED, ENDED), ("", '{"replay": "digits"}'), "2026-03-01 10:00 to 11:30 UTC"),
        ((ENDED, "2026-03-02T01:00:00.000+00:00"), ("", ""), "2026-03-01 10:00 to 2026-03-02 01:00 UTC"),
        ((ENDED, ""), ("", ""), "since 2026-03-01 10:00 UTC, 1 of 2 searches not finished"),
        (("", ""), ("", ""), "since 2026-03-01 10:00 UTC, 2 of 2 searches not finished"),
        ((BEGUN, BEGUN), ('{"import": {}}', '{"import": {}}'), "imported on 2026-03-01"),
        (
            (ENDED, BEGUN),
            ("", '{"import": {}}'),
            "2026-03-01 10:00 to 11:30 UTC; 1 of 2 searches imported on 2026-03-01",
        ),
    ],
    ids=["one day", "two days", "one not finished", "none finished", "imported", "one imported"],
)
def test_when_searches_ran_or_were_imported(make, ends, configs, text):
    """Rows of imported searches hold the time of their import; a search that has not ended has no end."""
    frame, runs, curves = make.frames(strategies=("random",), seeds=2, children=5)
    runs = runs.assign(started_at=BEGUN, finished_at=list(ends), config=list(configs))
    found = contents(Selection(frame.assign(choices="[]", space="unknown-space"), runs, curves, ()))
    assert dict(setting(found))["When"] == text


def test_a_run_without_a_counted_child_has_an_empty_front(selection):
    lost = selection.runs.loc[selection.runs["strategy"] == "ppo", "run"].iloc[0]
    without = replace(
        selection,
        frame=selection.frame[selection.frame["run"] != lost],
        runs=selection.runs.assign(children=selection.runs["children"].where(selection.runs["run"] != lost, 0)),
    )
    volumes = contents(without, Wishes()).volumes.set_index(["plane", "strategy"])
    found = volumes[volumes["up_to"].notna()].xs("ppo", level="strategy")
    assert set(found["runs"]) == {5}
    whole = contents(selection, Wishes()).volumes.set_index(["plane", "strategy"]).xs("ppo", level="strategy")
    assert (found["mean"] < whole["mean"]).all()
