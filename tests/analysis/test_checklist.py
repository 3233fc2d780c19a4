"""The checklist: every answer follows from the data, and changes with them."""

from __future__ import annotations

import json

import pytest

from nasbench.analysis.comparison.checklist import (
    ANSWERS,
    MET,
    NOT_APPLICABLE,
    NOT_MET,
    checklist,
    checklist_markdown,
    checklist_summary,
)
from nasbench.errors import InputError

PROVENANCE = {
    "python": "3.11.7",
    "packages": {"nasbench-suite": "0.1.0", "torch": "2.6.0"},
    "commit": "0123456789abcdef",
    "dirty": False,
    "host": "lab",
    "system": "Linux",
    "processor": "EPYC",
    "processors": 2,
    "gpus": [],
    "driver": "",
    "threads": {},
    "command": ["nasbench", "run"],
}


@pytest.fixture
def searches(make):
    """Five seeds of two strategies, with everything recorded; what `checklist` takes."""
    frame, runs, _ = make.frames(strategies=("random", "ppo"), seeds=5, children=12)
    frame = frame.assign(seed=frame["seed"].where(frame["stage"] == "search", 1000 + frame["seed"]))
    runs = runs.astype({"config": object, "provenance": object})
    runs["provenance"] = json.dumps(PROVENANCE)
    runs["config"] = [
        json.dumps({"strategy": strategy, "options": {}, "protocol": "digits", "seed": int(seed), "final": "best"})
        for strategy, seed in runs[["strategy", "seed"]].itertuples(index=False)
    ]
    return frame, runs


def answers(frame, runs) -> dict[str, str]:
    return checklist(frame, runs).set_index("number")["answer"].to_dict()


def evidence(frame, runs, number: str) -> str:
    return checklist(frame, runs).set_index("number")["evidence"][number]


def with_provenance(runs, place: int, **changed):
    runs = runs.copy()
    runs.loc[place, "provenance"] = json.dumps({**PROVENANCE, **changed})
    return runs


def test_a_clean_comparison_lacks_only_what_its_data_lack(searches):
    found = answers(*searches)
    assert {number for number, answer in found.items() if answer == NOT_MET} == {"2.3", "2.8", "3.1"}
    assert NOT_APPLICABLE not in found.values()
    data = checklist(*searches)
    assert list(data.columns) == ["number", "section", "asks", "answer", "evidence"]
    assert set(data["answer"]) <= set(ANSWERS)
    assert (data["evidence"].str.len() > 10).all()
    assert checklist_summary(data) == "Of 16 items 13 met, 3 not met, 0 not applicable."


def test_evidence_holds_the_numbers_of_the_file(searches):
    frame, runs = searches
    assert f"{len(frame):,} trainings" in evidence(frame, runs, "1.3")
    assert "seeds a strategy: random 5, ppo 5; seeds 0 to 4" in evidence(frame, runs, "2.7")
    assert "nasbench-suite 0.1.0 at commit 0123456789, unchanged" in evidence(frame, runs, "1.1")


def test_a_changed_source_tree_is_named_by_its_run(searches):
    frame, runs = searches
    changed = with_provenance(runs, 3, dirty=True)
    found = answers(frame, changed)
    assert [found[number] for number in ("1.1", "1.2", "1.4")] == [NOT_MET] * 3
    assert runs["run"][3] in evidence(frame, changed, "1.1")


@pytest.mark.parametrize("strategy", ["nsga2", "asha", "bananas", "syne_tune"])
def test_the_code_of_every_strategy_of_the_suite_is_named(searches, strategy):
    frame, runs = searches
    renamed = runs.assign(strategy=runs["strategy"].astype(object).replace("ppo", strategy))
    assert answers(frame, renamed)["1.4"] == MET
    foreign = runs.assign(strategy=runs["strategy"].astype(object).replace("ppo", "mine"))
    assert answers(frame, foreign)["1.4"] == NOT_MET
    assert "mine came from elsewhere" in evidence(frame, foreign, "1.4")


def test_an_imported_search_with_the_name_of_a_strategy_of_the_suite_is_not_its_code(searches):
    frame, runs = searches
    imported = runs.copy()
    imported.loc[2, "config"] = json.dumps({"strategy": "random", "options": {}, "seed": 2, "imported": {}})
    assert answers(frame, imported)["1.4"] == NOT_MET
    assert f"run {runs['run'][2]} was imported" in evidence(frame, imported, "1.4")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"processor": "Xeon"}, "processor"),
        ({"packages": {"nasbench-suite": "0.1.0", "torch": "2.7.0"}}, "torch (2.6.0, 2.7.0)"),
        ({"gpus": ["NVIDIA H100"]}, "GPUs"),
    ],
)
def test_confounders_are_found(searches, changed, said):
    frame, runs = searches
    other = with_provenance(runs, 0, **changed)
    assert answers(frame, other)["2.2"] == NOT_MET
    assert said in evidence(frame, other, "2.2")


def test_a_run_that_was_resumed_on_another_machine_is_found(searches):
    frame, runs = searches
    elsewhere = frame.assign(platform=["EPYC; torch 2.6.0"] * 5 + ["Xeon; torch 2.6.0"] * (len(frame) - 5))
    assert answers(elsewhere, runs)["2.2"] == NOT_MET
    assert "platforms of children (EPYC; torch 2.6.0, Xeon; torch 2.6.0)" in evidence(elsewhere, runs, "2.2")


def test_without_random_search_and_with_few_seeds(make, searches):
    frame, runs = searches
    ppo = runs[runs["strategy"] == "ppo"]
    found = answers(frame[frame["strategy"] == "ppo"], ppo)
    assert found["2.6"] == NOT_MET
    assert found["2.1"] == NOT_APPLICABLE
    few = runs[runs["seed"] < 2]
    assert answers(frame[frame["run"].isin(few["run"])], few)["2.7"] == NOT_MET


def test_an_ablation_is_one_option_changed_and_nothing_else(searches):
    frame, runs = searches
    runs = runs.copy()
    config = {"strategy": "ppo", "protocol": "digits", "final": "best", "seed": 0}
    places = runs.index[runs["strategy"] == "ppo"]
    runs.loc[places[0], "config"] = json.dumps({**config, "options": {"batch": 5}})
    assert answers(frame, runs)["2.3"] == MET
    assert "batch" in evidence(frame, runs, "2.3")
    for place in places:
        runs.loc[place, "config"] = json.dumps({**config, "options": {"batch": 5, "epochs": 2}})
    runs.loc[places[0], "config"] = json.dumps({**config, "options": {"batch": 4, "epochs": 3}})
    assert answers(frame, runs)["2.3"] == NOT_MET  # two options at once tell nothing apart


def test_tests_that_are_missing_or_seen_by_a_search(searches):
    frame, runs = searches
    assert answers(frame[frame["stage"] == "search"], runs)["2.4"] == NOT_MET
    seen = frame.copy()
    seen.loc[0, "test_acc"] = 0.5
    assert answers(seen, runs)["2.4"] == NOT_MET


def test_time_that_is_not_charged(searches):
    frame, runs = searches
    free = runs.assign(searcher_hours=0.0)
    assert answers(frame, free)["3.2"] == NOT_MET
    assert answers(frame, runs.assign(final_hours=0.0))["3.2"] == NOT_MET


def test_replays_trained_nothing_and_are_of_a_table(searches):
    frame, runs = searches
    runs = runs.copy()
    runs["config"] = [
        json.dumps({"replay": "digits", "strategy": name, "options": {}, "seed": 0}) for name in runs["strategy"]
    ]
    found = answers(frame, runs)
    assert [found[number] for number in ("1.1", "1.3", "2.8")] == [NOT_APPLICABLE, NOT_APPLICABLE, MET]


def test_a_test_score_of_the_training_that_was_chosen_is_not_the_same_evaluation(searches):
    frame, runs = searches
    last = frame[frame["stage"] == "final"].index[-1]
    search_seed = frame.loc[(frame["run"] == frame["run"][last]) & (frame["stage"] == "search"), "seed"].iloc[0]
    frame.loc[last, "seed"] = search_seed
    assert answers(frame, runs)["2.4"] == NOT_MET
    assert "1 of 10 searches" in evidence(frame, runs, "2.4")


def test_time_beyond_the_budget_that_no_file_holds_is_named(searches):
    frame, runs = searches
    runs = runs.assign(uncounted_hours=[float("nan"), *[0.5] * (len(runs) - 1)])
    assert answers(frame, runs)["3.2"] == NOT_MET
    assert "uncounted" in evidence(frame, runs.assign(uncounted_hours=0.5), "3.2")


def test_imported_rows_without_provenance_meet_nothing_that_needs_it(searches):
    frame, runs = searches
    bare = runs.assign(config='{"import": "CSV"}', provenance="")
    found = answers(frame, bare)
    assert [found[number] for number in ("1.1", "1.2", "1.3", "1.5", "2.2", "3.3")] == [NOT_MET] * 6


def test_rows_of_a_table_are_no_searches(make, searches):
    frame, runs = searches
    table = runs.assign(strategy="table")
    found = answers(frame.assign(strategy="table"), table)
    assert {found[number] for number in ("1.4", "2.1", "2.6", "2.7", "3.1", "3.2")} == {NOT_APPLICABLE}


def test_markdown_ticks_what_is_met(searches):
    text = checklist_markdown(checklist(*searches))
    assert text.count("- [x]") == 13
    assert text.count("- [ ]") == 3
    assert "### Comparing methods" in text


def test_no_runs(searches):
    frame, runs = searches
    with pytest.raises(InputError, match="no runs"):
        checklist(frame, runs.iloc[:0])
