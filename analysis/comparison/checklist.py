"""Checklist of best practices for NAS research, answered from the data of results files alone.

An item is met only if rows, configurations or provenance prove it; the evidence names them. Items that a results file
cannot prove, such as how options were tuned, are not met, and the evidence says so. A file cannot prove that code is
public: code counts as released if the file names its exact version and the source tree had no changes.

Source: Lindauer & Hutter 2020, "Best Practices for Scientific Research on Neural Architecture Search" (JMLR 21,
1909.02453), and its checklist at automl.org; the items are worded differently here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.analysis.comparison.anytime import hours_unit, search_hours
from nasbench.analysis.comparison.checks import BASELINE, ENOUGH_SEEDS, fairness, without_own_time
from nasbench.analysis.plotting import style
from nasbench.store.format.schema import LEDGER_CATEGORIES, TABLE
from nasbench.texts import json_object

if TYPE_CHECKING:
    import pandas as pd

MET, NOT_MET, NOT_APPLICABLE = "met", "not met", "not applicable"
ANSWERS = (MET, NOT_MET, NOT_APPLICABLE)
RELEASE, COMPARE, REPORT = "Releasing code", "Comparing methods", "Reporting details"
PACKAGE = "nasbench-suite"
MOST_RUNS = 3  # maximum of ids written out; the rest is counted

Answer = tuple[str, str]
# Provenance entries that must be equal in all compared runs.
_CONFOUNDERS = {
    "processor": "processor",
    "processors": "number of processors",
    "gpus": "GPUs",
    "driver": "GPU driver",
    "python": "Python",
    "commit": "commit",
    "threads": "thread settings",
    "system": "operating system",
}
_SETUP = ("python", "packages", "host", "system", "processor", "processors", "gpus", "threads", "command")


def checklist(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Answer every item of the checklist from the data of these runs.

    Args:
        frame: children (`store.format.schema.CHILD_COLUMNS`).
        runs: their runs (`store.format.schema.RUN_COLUMNS`), at least one.

    Returns:
        One row per item, in the paper's order: number ("1.1"), section, asks (the requirement), answer (met, not met or
        not applicable), evidence (numbers, run ids and provenance in a sentence; never empty).

    Raises:
        InputError: when there are no runs, a column is missing, or a run occurs twice.
    """
    import pandas as pd

    data = _Data(frame, runs, fairness(frame, runs).set_index("check")["finding"].to_dict())
    rows = []
    for number, section, asks, answer in _ITEMS:
        found, evidence = answer(data)
        rows.append({"number": number, "section": section, "asks": asks, "answer": found, "evidence": evidence})
    return pd.DataFrame(rows)


def checklist_summary(data: pd.DataFrame) -> str:
    """Count the answers, as a sentence.

    Args:
        data: result of `checklist`.

    Returns:
        The sentence.
    """
    counts = data["answer"].value_counts()
    return f"Of {len(data)} items {', '.join(f'{counts.get(name, 0)} {name}' for name in ANSWERS)}."


def checklist_markdown(data: pd.DataFrame) -> str:
    """Format the checklist as Markdown, for a pull request or an appendix.

    Args:
        data: result of `checklist`.

    Returns:
        Markdown text.
    """
    marks = {MET: "x", NOT_MET: " ", NOT_APPLICABLE: "-"}
    lines = ["## NAS best practices checklist", "", checklist_summary(data)]
    for section, items in data.groupby("section", sort=False):
        lines += ["", f"### {section}", ""]
        for row in items.to_dict("records"):
            lines.append(
                f"- [{marks[row['answer']]}] **{row['number']} {row['asks']}**: {row['answer']}. {row['evidence']}"
            )
    lines += [
        "",
        "After Lindauer and Hutter, JMLR 21 (2020), arXiv 1909.02453; answered from the data of the files alone.",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Data:
    """Children, runs and findings of the fairness checks, with the quantities that the items need."""

    frame: pd.DataFrame
    runs: pd.DataFrame
    findings: dict[Any, str]

    @cached_property
    def configs(self) -> dict[str, dict[str, Any]]:
        return {run: _parsed(text) for run, text in self.runs[["run", "config"]].itertuples(index=False)}

    @cached_property
    def provenances(self) -> dict[str, dict[str, Any]]:
        return {run: _parsed(text) for run, text in self.runs[["run", "provenance"]].itertuples(index=False)}

    @cached_property
    def searches(self) -> pd.DataFrame:
        """Runs in which a strategy chose the architectures."""
        return self.runs[self.runs["strategy"] != TABLE]

    @cached_property
    def strategies(self) -> list[str]:
        return style.in_order(self.searches["strategy"].unique().tolist())

    @cached_property
    def trained(self) -> list[str]:
        """Runs that trained their children, i.e. no replays and imports."""
        return [run for run, config in self.configs.items() if "protocol" in config]

    @cached_property
    def replayed(self) -> list[str]:
        return [run for run, config in self.configs.items() if "replay" in config]

    @cached_property
    def imported_searches(self) -> list[str]:
        """Searches that another program made, whatever their strategies are called."""
        own = {*self.trained, *self.replayed}
        return [run for run in self.searches["run"] if run not in own]

    def rows_of(self, runs: Iterable[str]) -> pd.DataFrame:
        return self.frame[self.frame["run"].isin(set(runs))]


@lru_cache(maxsize=256)
def _parsed(text: str) -> dict[str, Any]:
    """What a stored text says; not to be changed, because thousands of runs share few texts."""
    return json_object(text)


def _some(runs: Sequence[str]) -> str:
    """Text of run ids: the first few of many."""
    more = f" and {len(runs) - MOST_RUNS} more" if len(runs) > MOST_RUNS else ""
    return f"{'run' if len(runs) == 1 else 'runs'} {', '.join(runs[:MOST_RUNS])}{more}"


def _listed(values: Iterable[Any], most: int = 4) -> str:
    """Text of distinct values: the first few of many."""
    texts = sorted({value if isinstance(value, str) else json.dumps(value) for value in values})
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _seeds(values: Iterable[int]) -> str:
    """Text of seeds, as a range if they are consecutive."""
    seeds = sorted({int(value) for value in values})
    if len(seeds) > 2 and seeds[-1] - seeds[0] + 1 == len(seeds):
        return f"seeds {seeds[0]} to {seeds[-1]}"
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {_listed(map(str, seeds), 8)}"


def _code(data: _Data, runs: Sequence[str]) -> tuple[bool, str]:
    """Whether the provenance of these runs identifies their code exactly, and the evidence."""
    unnamed, changed, named = [], [], set()
    for run in runs:
        found = data.provenances[run]
        version, commit = found.get("packages", {}).get(PACKAGE, ""), found.get("commit", "")
        if found.get("dirty"):
            changed.append(run)
        elif not version and not commit:
            unnamed.append(run)
        else:
            named.add(f"{PACKAGE} {version}{f' at commit {commit[:10]}' if commit else ''}".replace("  ", " "))
    if unnamed:
        return False, f"{_some(unnamed)} of {len(runs)}: no version or commit is recorded"
    if changed:
        commits = _listed(data.provenances[run].get("commit", "")[:10] for run in changed)
        return False, (
            f"{len(changed)} of {len(runs)} runs ({_some(changed)}) were made by a source tree that had been changed since commit "
            f"{commits}: that code cannot be had from what the file names"
        )
    return True, f"{len(runs)} of {len(runs)} runs name {_listed(named)}, unchanged"


def _no_training(data: _Data) -> Answer | None:
    """Answer to items about training if no run trained anything."""
    if data.trained:
        return None
    if len(data.replayed) == len(data.runs):
        rows = data.rows_of(data.replayed)
        tables = _listed(data.runs["data"] + " (" + data.runs["fingerprint"] + ")")
        surrogates = sum('"surrogate"' in str(config) for config in data.runs["config"])
        how = "predicted by the" if surrogates == len(data.runs) else "looked up in the table of"
        return NOT_APPLICABLE, f"nothing was trained here: {len(rows):,} scores were {how} {tables}"
    return NOT_MET, f"{_some(data.runs['run'].tolist())} were imported: the file names no pipeline that trained them"


def _training_code(data: _Data) -> Answer:
    if (answer := _no_training(data)) is not None:
        return answer
    found, text = _code(data, data.trained)
    others = len(data.runs) - len(data.trained)
    more = f"; {others} other runs trained nothing" if others else ""
    return (MET if found else NOT_MET), text + more


def _space_code(data: _Data) -> Answer:
    found, text = _code(data, data.runs["run"].tolist())
    unnamed = data.runs.loc[data.runs["space"] == "", "run"].tolist()
    if unnamed:
        return NOT_MET, f"{_some(unnamed)}: no search space is named"
    return (MET if found else NOT_MET), f"{_listed(data.runs['space'])}; {text}"


def _training_options(data: _Data) -> Answer:
    if (answer := _no_training(data)) is not None:
        return answer
    rows = data.rows_of(data.trained)
    unnamed = rows.loc[(rows["protocol"] == "") | (rows["fingerprint"] == ""), "run"].unique().tolist()
    if unnamed:
        return NOT_MET, f"{_some(unnamed)}: children without the protocol that trained them"
    protocols = _listed(rows["protocol"] + " (" + rows["fingerprint"] + ")")
    return MET, f"{len(rows):,} trainings, each with its protocol and seed: {protocols}; {_seeds(rows['seed'])}"


def _method_code(data: _Data) -> Answer:
    if not data.strategies:
        return NOT_APPLICABLE, "no strategy searched here: these are rows of complete tables"
    foreign = [name for name in data.strategies if not style.is_known(name)]
    if foreign:
        return NOT_MET, f"{', '.join(foreign)} came from elsewhere: the file does not name the code"
    if imported := data.imported_searches:
        return (
            NOT_MET,
            f"{_some(imported)} {'was' if len(imported) == 1 else 'were'} imported: the file does not name the code that searched",
        )
    found, text = _code(data, data.searches["run"].tolist())
    return (MET if found else NOT_MET), f"{', '.join(data.strategies)}; {text}"


def _method_options(data: _Data) -> Answer:
    if not data.strategies:
        return NOT_APPLICABLE, "no strategy searched here: these are rows of complete tables"
    without = [
        run for run in data.searches["run"] if "options" not in data.configs[run] or "seed" not in data.configs[run]
    ]
    if without:
        return NOT_MET, f"{_some(without)} of {len(data.searches)}: options or seed of the strategy are not recorded"
    options = {
        f"{data.configs[run]['strategy']} {json.dumps(data.configs[run]['options']) if data.configs[run]['options'] else '(defaults of that code)'}"
        for run in data.searches["run"]
    }
    return (
        MET,
        f"{len(data.searches)} searches, each with options and seed: {_listed(options, 8)}; {_seeds(data.searches['seed'])}",
    )


def _several(data: _Data) -> Answer | None:
    """Answer to items about comparisons if there is only one strategy."""
    if len(data.strategies) > 1:
        return None
    who = f"{data.strategies[0]} alone is here" if data.strategies else "no strategy searched here"
    return NOT_APPLICABLE, f"nothing is compared: {who}"


def _same_benchmark(data: _Data) -> Answer:
    if (answer := _several(data)) is not None:
        return answer
    differ = {name: data.findings[name] for name in ("data", "space", "protocol") if data.findings[name]}
    if differ:
        return NOT_MET, "; ".join(f"they differ in {name}: {finding}" for name, finding in differ.items())
    first = data.searches.iloc[0]
    return MET, (
        f"all {len(data.searches)} searches: space {first['space']}, data {first['data']} (digest {first['data_digest'][:8]}), "
        f"protocol {first['protocol']} ({first['fingerprint']}), which fixes split, training and its settings"
    )


def _confounders(data: _Data) -> Answer:
    if (answer := _several(data)) is not None:
        return answer
    found = [data.provenances[run] for run in data.searches["run"]]
    without = [run for run in data.searches["run"] if not data.provenances[run]]
    if without:
        return NOT_MET, f"{_some(without)} of {len(data.searches)}: hardware and versions are not recorded"
    differ = [
        f"{name} ({_listed(values, 3)})" for key, name in _CONFOUNDERS.items() if len(values := _values(found, key)) > 1
    ]
    packages = sorted({name for one in found for name in one.get("packages", {})})
    for package in packages:
        versions = {one.get("packages", {}).get(package, "none") for one in found}
        if len(versions) > 1:
            differ.append(f"{package} ({_listed(versions, 3)})")
    searched = data.frame["run"].isin(set(data.searches["run"]))
    devices, platforms = (set(data.frame.loc[searched, name].unique()) - {""} for name in ("device", "platform"))
    if len(devices) > 1:
        differ.append(f"devices of children ({_listed(sorted(devices), 3)})")
    # also within a run that was resumed on another machine, whose provenance is that of its last attempt
    if len(platforms) > 1:
        differ.append(f"platforms of children ({_listed(sorted(platforms), 3)})")
    if data.findings["budget"]:
        differ.append(f"budget ({data.findings['budget']})")
    if differ:
        return NOT_MET, f"runs differ in {'; '.join(differ)}"
    one = found[0]
    torch = one.get("packages", {}).get("torch", "")
    return MET, (
        f"all {len(found)} searches: one machine type ({one.get('processor') or 'unnamed processor'}, GPUs {_listed(one.get('gpus', [])) or 'none'}), "
        f"device {_listed(sorted(devices)) or 'none'}, Python {one.get('python', '')}, torch {torch or 'none'}, budget {data.searches['budget'].iloc[0]}"
    )


def _values(found: Sequence[dict[str, Any]], key: str) -> set[str]:
    distinct = {id(one): one for one in found}.values()  # parsed texts are shared
    return {json.dumps(one.get(key), sort_keys=True) for one in distinct}


def _ablations(data: _Data) -> Answer:
    """Find runs of one strategy that differ only in one option and the seed."""
    variants: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for run in data.searches["run"]:
        config = data.configs[run]
        options = config.get("options")
        if isinstance(options, dict):
            rest = {name: value for name, value in config.items() if name not in ("options", "seed", "label")}
            key = (str(config.get("strategy", "")), json.dumps(rest, sort_keys=True))
            variants.setdefault(key, {})[json.dumps(options, sort_keys=True)] = options
    pairs = []
    for (strategy, _), found in variants.items():
        every = list(found.values())
        for place, first in enumerate(every):
            for second in every[place + 1 :]:
                differ = [name for name in {*first, *second} if first.get(name) != second.get(name)]
                if len(differ) == 1:
                    name = differ[0]
                    pairs.append(
                        f"{strategy} with {name} {first.get(name, 'as usual')} and {second.get(name, 'as usual')}"
                    )
    if not data.strategies:
        return NOT_APPLICABLE, "no strategy searched here"
    if pairs:
        return MET, f"runs that differ in one option of their strategy alone: {'; '.join(pairs[:MOST_RUNS])}"
    return (
        NOT_MET,
        f"no strategy ({', '.join(data.strategies)}) was run with one of its options changed and all else the same",
    )


def _same_evaluation(data: _Data) -> Answer:
    if (answer := _several(data)) is not None:
        return answer
    final = data.rows_of(data.searches["run"])
    final = final[(final["stage"] == "final") & (final["status"] == "ok") & final["test_acc"].notna()]
    without = sorted(set(data.searches["run"]) - set(final["run"]))
    if without:
        return (
            NOT_MET,
            f"{len(without)} of {len(data.searches)} searches ({_some(without)}) have no architecture with a test score",
        )
    if final["fingerprint"].nunique() > 1:
        return (
            NOT_MET,
            f"test scores of several protocols: {_listed(final['protocol'] + ' (' + final['fingerprint'] + ')')}",
        )
    rules = {json.dumps(data.configs[run].get("final", "the search's choice")) for run in data.searches["run"]}
    if len(rules) > 1:
        return NOT_MET, f"architectures to test were chosen by several rules: {_listed(rules)}"
    if data.findings["test"]:
        return NOT_MET, data.findings["test"]
    if same := _chosen_by_the_same_training(data):
        return NOT_MET, same
    counts = final.groupby("strategy").size()
    tested = ", ".join(f"{name} {counts.get(name, 0)}" for name in data.strategies)
    return MET, (
        f"{len(final):,} test scores under {final['protocol'].iloc[0]} ({final['fingerprint'].iloc[0]}), chosen by one rule ({_listed(rules)}): "
        f"{tested}; no child of a search has one"
    )


def _chosen_by_the_same_training(data: _Data) -> str:
    """Say which searches have a test score of the training by whose validation score they chose; '' if none."""
    rows = data.rows_of(data.searches["run"])
    search, final = rows[rows["stage"] == "search"], rows[rows["stage"] == "final"]
    used = set(zip(search["run"], search["seed"]))
    replayed = set(data.replayed)
    same = {run for run, seed in zip(final["run"], final["seed"]) if run not in replayed and (run, seed) in used}
    for run in replayed & set(final["run"]):
        seeds, other = data.configs[run].get("search_seeds"), data.configs[run].get("report_seeds")
        if not seeds or not other or set(seeds) & set(other):
            same.add(run)
    if not same:
        return ""
    return (
        f"{len(same)} of {len(data.searches)} searches ({_some(sorted(same))}) report the training by whose validation score they "
        "chose, so the score is selected; train the choice with other seeds (--final-seeds; for replays --search-seeds and "
        "--report-seeds)"
    )


def _over_time(data: _Data) -> Answer:
    if (answer := _several(data)) is not None:
        return answer
    rows = data.rows_of(data.searches["run"])
    rows = rows[(rows["stage"] == "search") & rows["counted"].astype(bool)]
    spent = rows["spent_gpu_hours"].to_numpy(dtype=float)
    if not len(rows) or not (np.isfinite(spent) & (spent > 0)).all():
        lacking = int(len(rows) - (np.isfinite(spent) & (spent > 0)).sum())
        return NOT_MET, f"{lacking} of {len(rows):,} children have no spending so far (column spent_gpu_hours)"
    last = rows.groupby("run")["spent_gpu_hours"].max()
    return MET, (
        f"{len(rows):,} children, each with the {hours_unit(rows)} spent by then (runs end at {style.short(float(last.min()))} to "
        f"{style.short(float(last.max()))} h): courses and bands by `nasbench compare`"
    )


def _random_search(data: _Data) -> Answer:
    if not data.strategies:
        return NOT_APPLICABLE, "no strategy searched here"
    mine = data.searches[data.searches["strategy"] == BASELINE]
    if mine.empty:
        return NOT_MET, f"no run of random search beside {', '.join(data.strategies)}"
    if data.strategies == [BASELINE]:
        return NOT_APPLICABLE, "random search alone is here"
    if data.findings["budget"]:
        return NOT_MET, f"random search is here, but budgets differ: {data.findings['budget']}"
    return (
        MET,
        f"{len(mine)} runs of random search ({_seeds(mine['seed'])}) with the others' budget of {mine['budget'].iloc[0]}",
    )


def _repetitions(data: _Data) -> Answer:
    if not data.strategies:
        return NOT_APPLICABLE, "no strategy searched here"
    counts = data.searches.groupby("strategy")["seed"].nunique()
    text = ", ".join(f"{name} {counts[name]}" for name in data.strategies)
    few = [name for name in data.strategies if counts[name] < ENOUGH_SEEDS]
    if few:
        return NOT_MET, f"fewer than {ENOUGH_SEEDS} seeds, our least for an interval: {', '.join(few)} (seeds: {text})"
    return MET, f"seeds a strategy: {text}; {_seeds(data.searches['seed'])}, each recorded with its run"


def _tables(data: _Data) -> Answer:
    if not data.strategies:
        return NOT_APPLICABLE, "no strategy searched here: these are rows of complete tables"
    mine = data.searches[data.searches["run"].isin(data.replayed)]
    if mine.empty:
        return NOT_MET, f"none of {len(data.searches)} searches was of a table: their children were trained or imported"
    tables = _listed(mine["space"] + ", " + mine["data"] + " (" + mine["fingerprint"] + ")")
    return MET, f"{len(mine)} of {len(data.searches)} searches replay a complete table: {tables}"


def _tuning(data: _Data) -> Answer:
    if not data.strategies:
        return NOT_APPLICABLE, "no strategy searched here"
    return (
        NOT_MET,
        "the options are recorded (1.5); how they were chosen, and what that took, a results file does not hold: say it",
    )


def _whole_time(data: _Data) -> Answer:
    if data.searches.empty:
        return NOT_APPLICABLE, "no strategy searched here"
    hours = {name: float(data.searches[f"{name}_hours"].sum()) for name in LEDGER_CATEGORIES}
    parts = ", ".join(f"{name} {style.short(value)} h" for name, value in hours.items() if value > 0)
    lost = data.searches.loc[search_hours(data.searches).isna().to_numpy(), "run"].tolist()
    if lost:
        return (
            NOT_MET,
            f"{len(lost)} of {len(data.searches)} searches ({_some(lost)}) do not hold what their children cost",
        )
    free = data.searches.loc[without_own_time(data.searches) & (data.searches["children"] > 0), "run"].tolist()
    if free:
        return (
            NOT_MET,
            f"{len(free)} of {len(data.searches)} searches ({_some(free)}) do not hold the time of their strategy itself; charged: {parts or 'nothing'}",
        )
    unknown = data.searches.loc[data.searches["uncounted_hours"].isna(), "run"].tolist()
    if unknown:
        return NOT_MET, (
            f"{len(unknown)} of {len(data.searches)} searches ({_some(unknown)}) do not hold what they spent on children that the "
            f"budget did not cover, as files of schema 1 and 2 do not; charged: {parts}"
        )
    final = data.rows_of(data.searches["run"])
    tested = set(final.loc[final["stage"] == "final", "run"])
    uncharged = data.searches.loc[
        data.searches["run"].isin(tested) & ~(data.searches["final_hours"] > 0), "run"
    ].tolist()
    if uncharged:
        return NOT_MET, f"{_some(uncharged)}: tests of the choice without their time; charged: {parts}"
    wall = float(data.searches["wall_seconds"].sum()) / 3600
    return MET, f"{len(data.searches)} searches, all parts charged: {parts}; wall time {style.short(wall)} h in all"


def _setup(data: _Data) -> Answer:
    lacking: dict[str, list[str]] = {}
    for run in data.runs["run"]:
        for name in _SETUP:
            if name not in data.provenances[run]:
                lacking.setdefault(name, []).append(run)
        if not data.configs[run]:
            lacking.setdefault("configuration", []).append(run)
    for run in data.runs.loc[data.runs["data_digest"] == "", "run"]:
        lacking.setdefault("digest of the data", []).append(run)
    if lacking:
        return NOT_MET, "not recorded: " + "; ".join(f"{name} ({_some(runs)})" for name, runs in lacking.items())
    one = next(iter(data.provenances.values()))
    command = " ".join(one["command"])
    command = command if len(command) <= 100 else f"{command[:97]}..."
    return MET, (
        f"{len(data.runs)} of {len(data.runs)} runs hold configuration, data digest, versions of {len(one['packages'])} packages, processor, "
        f"GPUs, threads and command; the first: {one['processor'] or 'unnamed processor'}, {command!r}"
    )


_ITEMS: tuple[tuple[str, str, str, Callable[[_Data], Answer]], ...] = (
    ("1.1", RELEASE, "Code of the training pipeline released (here: named exactly)", _training_code),
    ("1.2", RELEASE, "Code of the search space released (here: named exactly)", _space_code),
    ("1.3", RELEASE, "Hyperparameters and seeds of the training", _training_options),
    ("1.4", RELEASE, "Code of the search method released (here: named exactly)", _method_code),
    ("1.5", RELEASE, "Hyperparameters and seeds of the search method", _method_options),
    ("2.1", COMPARE, "All methods on the same benchmark: data, split, space, training", _same_benchmark),
    ("2.2", COMPARE, "Confounders kept alike: hardware, versions, run time", _confounders),
    ("2.3", COMPARE, "Ablations", _ablations),
    ("2.4", COMPARE, "The same final evaluation for all methods", _same_evaluation),
    ("2.5", COMPARE, "Performance over time, not only at the end", _over_time),
    ("2.6", COMPARE, "Random search as a baseline", _random_search),
    ("2.7", COMPARE, "Several runs, with their seeds", _repetitions),
    ("2.8", COMPARE, "Tabular or surrogate benchmarks for depth", _tables),
    ("3.1", REPORT, "How hyperparameters were tuned, and what that took", _tuning),
    ("3.2", REPORT, "Time of the whole method from end to end", _whole_time),
    ("3.3", REPORT, "All details of the experimental setup", _setup),
)
