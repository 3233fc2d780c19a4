"""`nasbench bench`: compare strategies on a frozen suite of tasks, and check what others submit."""

from __future__ import annotations

import logging
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nasbench.cli.options import completing, print_table, strategy_names, take_over_option, write_csv
from nasbench.cli.output import is_quiet, note, say
from nasbench.cli.outputs import put
from nasbench.errors import InputError, printable
from nasbench.outputs import REPORT_MARKS, STANDARD_OUTPUT, has_mark, require_output

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from nasbench.api.benching import Benched
    from nasbench.benchmark.incumbents import BenchmarkRuns

USUAL_SUITE = "suite-v1"
MEASURE = "measure"


def _suites() -> Iterable[str]:
    from nasbench.benchmark.definition import benchmark_names

    return benchmark_names()


class _Measuring(click.Group):
    """A group whose first word may be a strategy: `nasbench bench random` is `nasbench bench measure random`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command that measures before arguments that name no other; see `click.Group.parse_args`.

        Args:
            ctx: context of the group.
            args: the arguments.

        Returns:
            What is left.
        """
        if args and args[0] not in self.commands and args[0] not in (*ctx.help_option_names, "-q", "--quiet"):
            args = [MEASURE, *args]
        return super().parse_args(ctx, args)


suite_option = click.option(
    "--suite",
    default=USUAL_SUITE,
    show_default=True,
    shell_complete=completing(_suites),
    help="Suite of tasks (nasbench bench suites), or a TOML file.",
)
tables_option = click.option(
    "--tables",
    "folders",
    multiple=True,
    type=click.Path(file_okay=False),
    help="Folder with files of tables of others, e.g. for suite-v1-full; repeatable.",
)
task_option = click.option(
    "--task", "chosen", multiple=True, help="A task of the suite; repeatable  [all whose tables are here]."
)


@click.group(cls=_Measuring)
def bench() -> None:
    """Compare strategies with the reference runs of a frozen suite: nasbench bench STRATEGY...

    A strategy is a registered one or a class in a file. Nothing is trained, and nothing is fetched: the tasks are complete
    tables that ship. `nasbench bench measure --help` lists the options.

    \b
    Example:
      nasbench bench mine.py:Mine
      nasbench bench mine.py:Mine evolution:population=20 --against random,local_search -o mine.h5
      nasbench bench check submission.npz
    """


@bench.command(MEASURE)
@click.argument("names", nargs=-1, metavar="[STRATEGY]...", shell_complete=completing(strategy_names))
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    shell_complete=completing(strategy_names),
    metavar="NAME[:KEY=VALUE,...]",
    help="A strategy, e.g. random, evolution:population=20 or mine.py:Mine; repeatable, as the arguments.",
)
@suite_option
@click.option(
    "--seeds", default=None, type=click.IntRange(min=1), help="Searches per strategy and task  [the suite's]."
)
@click.option(
    "--against", default=None, metavar="NAME[,NAME...]", help="Reference strategies; none for none  [all that ship]."
)
@tables_option
@task_option
@click.option(
    "--jobs", "-j", default=1, show_default=True, type=click.IntRange(min=1), help="Processes; the result is the same."
)
@click.option(
    "-o", "--output", default=None, type=click.Path(dir_okay=False), help="Results file (.h5) of all children."
)
@click.option(
    "--page",
    default=None,
    type=click.Path(dir_okay=False),
    help="Page of the comparison  [OUTPUT.html, or bench.html].",
)
@click.option("--csv", default=None, type=click.Path(dir_okay=False), help="Write the table over all tasks, too.")
@click.option(
    "--submit", default=None, type=click.Path(dir_okay=False), help="Pack a submission into this file (.npz)."
)
@click.option(
    "--options-tried", default=None, type=click.IntRange(min=0), help="Settings of options tried before; for --submit."
)
@click.option("--tuned-on", default="", help="Where they were tried: tables and seeds; for --submit.")
@click.option("--name", default="", help="Who submits; for --submit.")
@take_over_option
def measure(
    names: Sequence[str],
    strategies: Sequence[str],
    suite: str,
    seeds: int | None,
    against: str | None,
    folders: Sequence[str],
    chosen: Sequence[str],
    jobs: int,
    output: str | None,
    page: str | None,
    csv: str | None,
    submit: str | None,
    options_tried: int | None,
    tuned_on: str,
    name: str,
    take_over: bool,
) -> None:
    """Search every task of a suite with strategies, compare them with the reference runs, and write one page.

    \b
    Example:
      nasbench bench measure mine.py:Mine -o mine.h5
      nasbench bench mine.py:Mine --submit mine.npz --options-tried 4 --tuned-on "digits201, seeds 0 to 9"
    """
    from nasbench.api.benching import bench as compare

    given = [*names, *strategies]
    if not given:
        raise InputError("name a strategy, e.g. nasbench bench random, or nasbench bench mine.py:Mine")
    if submit is not None and chosen:
        raise InputError(
            "a submission has every task of the suite: leave --task out, or --submit; a strategy that cannot search a task "
            "has no submission"
        )
    if submit is None and (tuned_on or name):
        raise InputError(f"{'--tuned-on' if tuned_on else '--name'} is stated in a submission: add --submit FILE.npz")
    if submit is not None and options_tried and not tuned_on.strip():
        raise InputError("options were tried: say where with --tuned-on, e.g. --tuned-on 'digits201, seeds 0 to 9'")
    tried = _options_tried(options_tried) if submit is not None else 0
    page = page or (str(Path(output).with_suffix(".html")) if output is not None else "bench.html")
    marks = REPORT_MARKS[".html"]
    if page != STANDARD_OUTPUT:  # before the searches, which may take an hour
        require_output(page, lambda there: has_mark(there, marks))
    # A comma before option=value belongs to the options of one strategy.
    parts = [] if against is None else re.split(r",(?![a-z_]+=)", against)
    references = None if against is None else [part for part in parts if part and part != "none"]
    found = compare(
        given,
        suite,
        seeds=seeds,
        against=references,
        tables=folders,
        tasks=chosen,
        jobs=jobs,
        progress=not is_quiet(),
    )
    _print(found)
    write_csv(found.summary, csv)
    if output is not None:
        _write_children(found, output, take_over)
    if submit is not None:  # before the page, which has a default name: who is refused here has no page either
        _submit(found, submit, tried, tuned_on, name)
    command = printable(shlex.join(["nasbench", *sys.argv[1:]]))
    if put(page, found.html(command), marks):
        say(f"wrote {page}")


def _options_tried(given: int | None) -> int:
    """Ask for the tuning budget, which a submission states."""
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise InputError(
            "--submit states the tuning budget: give --options-tried NUMBER, 0 if no other options were tried"
        )
    answer: int = click.prompt("How many settings of options did you try before this one", type=click.IntRange(min=0))
    return answer


def _print(found: Benched) -> None:
    """Print one row per strategy, the verdicts, and what cannot be concluded."""
    from nasbench.analysis.bench.printed_findings import printed_findings

    shares = _shares(found)
    rows = []
    for row in found.summary.sort_values("rank", kind="stable").to_dict("records"):
        name = str(row["strategy"])
        low, high = row["regret_low"], row["regret_high"]
        around = f" [{low:.3f}, {high:.3f}]" if low == low and high == high else f" ({row['interval']})"
        of_it = found.compared.summary[found.compared.summary["strategy"] == name]
        rows.append(
            (
                name,
                _short(float(row["rank"])) if row["rank"] != row["rank"] else f"{row['rank']:.2f}",
                f"{row['regret']:.3f}{around}",
                row["n"],
                f"{row['wins']}-{row['ties']}-{row['losses']}",
                f"{shares[name]:.0%}",
                f"{of_it['usd'].sum():.4f}",
                _short(float(of_it["searcher_seconds"].sum(skipna=False))),
            )
        )
    head = ("strategy", "rank", "normalized regret", "searches", "better-not shown-worse", "targets", "USD", "own s")
    print_table(head, rows)
    click.echo()
    if found.references:
        for line in printed_findings(found.compared, every=_log.isEnabledFor(logging.INFO)):
            click.echo(line)
    for line in found.notes:
        note(line)


def _shares(found: Benched) -> dict[str, float]:
    from nasbench.analysis.bench.targets import shares_at

    compared = found.compared
    table = shares_at(compared.entries, compared.scales, compared.protocol.targets)
    return dict(zip(table["strategy"], table[compared.protocol.budget]))


def _short(value: float) -> str:
    return "-" if value != value else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _write_children(found: Benched, output: str, take_over: bool) -> None:
    from nasbench.runners.replay.rows import tables_of
    from nasbench.store.maintenance.table_builder import join_tables, write_new

    parts = [tables_of(replays, [found.opened[task].reported]) for task, replays in found.replayed.items()]
    write_new(output, join_tables(parts), take_over)
    say(f"wrote {output}")


def _earlier_runs(path: str) -> BenchmarkRuns | None:
    """Read the runs that a file has already; None where there is no file, or --force lets another file be replaced."""
    from nasbench.benchmark.incumbents import read_runs

    if not Path(path).exists():
        return None
    try:
        return read_runs(path)
    except InputError:
        require_output(path, lambda _: False)
        return None


def _submit(found: Benched, path: str, tried: int, tuned_on: str, name: str) -> None:
    from nasbench.benchmark.incumbents import write_runs
    from nasbench.provenance import utc_now
    from nasbench.runners.bench.submissions import as_submission

    tasks = [task.name for task in found.suite.tasks]
    write_runs(path, as_submission(found.runs, tried, tuned_on, name, utc_now(), tasks))
    size = Path(path).stat().st_size
    say(f"wrote {path} ({size / 1e3:.0f} kB); check it: nasbench bench check {shlex.quote(path)}")


@bench.command("suites")
def suites() -> None:
    """List the suites that ship."""
    from nasbench.benchmark.definition import benchmark_names, load_benchmark

    rows = [
        (name, loaded.digest, len(loaded.tasks), loaded.description)
        for name in benchmark_names()
        for loaded in [load_benchmark(name)]
    ]
    print_table(("suite", "digest", "tasks", "what"), rows)


@bench.command("tasks")
@suite_option
@tables_option
def tasks(suite: str, folders: Sequence[str]) -> None:
    """List the tasks of a suite, and whether their tables are here; for suites see `nasbench bench suites`.

    \b
    Example:
      nasbench bench tasks --suite suite-v1-full --tables downloads
    """
    from nasbench.benchmark.definition import load_benchmark

    loaded = load_benchmark(suite)
    rows = [
        (
            *(task.name, task.label, task.table or task.file, ", ".join(task.budgets.values())),
            "yes" if task.path([Path(folder) for folder in folders]) is not None else "no",
            task.what,
        )
        for task in loaded.tasks
    ]
    print_table(("task", "table", "file", "budgets", "here", "what"), rows)
    note(
        f"{loaded.name}: digest {loaded.digest}, {loaded.protocol.seeds} seeds, tests under the budget {loaded.protocol.budget}"
    )


@bench.command("check")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option(
    "--sample", default=10, show_default=True, type=click.IntRange(min=1), help="Searches per task to replay."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the sample.")
@click.option(
    "--run-code", is_flag=True, help="Run Python code of the submission; read it first (nasbench bench code)."
)
@tables_option
def check(file: str, sample: int, seed: int, run_code: bool, folders: Sequence[str]) -> int:
    """Check a submission: all its scores against the tables, and a sample of its searches by replaying them.

    Exits with 1 if something is not reproduced. Code in a submission never runs without --run-code.

    \b
    Example:
      nasbench bench check mine.npz --run-code
    """
    from nasbench.api.benching import open_tasks
    from nasbench.benchmark.definition import load_benchmark
    from nasbench.benchmark.incumbents import read_runs
    from nasbench.provenance import other_versions
    from nasbench.runners.bench.submissions import check_entry, statement_of

    runs = read_runs(file)
    suite = load_benchmark(runs.suite)
    runs.require(suite, file)
    opened, _ = open_tasks(suite, folders)
    results = [
        each for entry in runs.entries for each in check_entry(entry, runs, suite, opened, sample, seed, run_code)
    ]
    if not results:
        raise InputError(f"{file} has no runs on tasks that are here")
    for each in results:
        faults = f"; {'; '.join(each.faults)}" if each.faults else ""
        word = "reproduced" if each.reproduced else "NOT REPRODUCED"
        click.echo(
            f"{each.strategy} on {each.task}: {word}, {each.equal} of {len(each.sampled)} searches equal{faults}"
        )
    stated = statement_of(runs)
    if stated:
        tuned = f" on {printable(str(stated.get('tuned_on')))}" if stated.get("tuned_on") else ""
        note(f"stated: {stated.get('options_tried')} other settings of options tried{tuned}; a check cannot see these")
    absent = [task for task in runs.scales if task not in opened]
    if absent:
        note(f"not checked, because their files are not here: {', '.join(absent)}")
    reproduced = all(each.reproduced for each in results)
    if not reproduced and (others := other_versions(runs.made)):
        note(
            f"made with {printable(', '.join(others))}: a strategy that uses such a package may propose other architectures "
            "with another version of it"
        )
    return 0 if reproduced else 1


@bench.command("code")
@click.argument("file", type=click.Path(dir_okay=False))
def code(file: str) -> None:
    """Print the Python code in a submission, which nothing runs.

    \b
    Example:
      nasbench bench code mine.npz
    """
    from nasbench.benchmark.incumbents import read_runs

    entries = [entry for entry in read_runs(file).entries if entry.code]
    for entry in entries:
        click.echo(f"# {printable(entry.strategy)}, SHA-256 {entry.digest}")
        for line in entry.code.splitlines():
            click.echo(printable(line.replace("\t", "    ")))
    if not entries:
        note(f"{file} has no code: its strategies are those of the suite or of packages")


@bench.command("reference")
@click.argument("names", nargs=-1, metavar="[STRATEGY]...", shell_complete=completing(strategy_names))
@suite_option
@tables_option
@task_option
@click.option(
    "--seeds", default=None, type=click.IntRange(min=1), help="Searches per strategy and task  [the suite's]."
)
@click.option("--jobs", "-j", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="File of the runs (.npz).")
def reference(
    names: Sequence[str],
    suite: str,
    folders: Sequence[str],
    chosen: Sequence[str],
    seeds: int | None,
    jobs: int,
    output: str,
) -> None:
    """Make the reference runs of a suite: every strategy that can search its tasks. Searches in OUTPUT stay as they are.

    \b
    Example:
      nasbench bench reference -o results/reference/suite-v1.npz
      nasbench bench reference gp:kernel=hamming --suite suite-v1-full --tables DOWNLOADS --task nasbench201-cifar10 -o mine.npz
    """
    from nasbench.api.benching import open_tasks, search_bar
    from nasbench.benchmark.definition import load_benchmark
    from nasbench.benchmark.incumbents import write_runs
    from nasbench.runners.bench.reference import make_reference, searches_of

    loaded = load_benchmark(suite)
    opened, missing = open_tasks(loaded, folders, chosen)
    earlier = _earlier_runs(output)
    if earlier is not None:
        earlier.require(loaded, output)
    count = seeds or loaded.protocol.reference_seeds
    with search_bar(0, not is_quiet()) as ended:
        found, skipped = make_reference(
            loaded, opened, names, count, jobs, earlier, ended, lambda runs: write_runs(output, runs)
        )
    write_runs(output, found)
    for each in skipped:
        note(f"no runs of {each.strategy}: {each.why}")
    if missing:
        note(f"tasks that are not here: {', '.join(missing)}")
    by_count: dict[str, list[str]] = {}
    for entry in found.entries:
        by_count.setdefault(" or ".join(map(str, sorted(searches_of(entry)))), []).append(entry.shown)
    shown = "; ".join(f"{searches} searches a task by {', '.join(names)}" for searches, names in by_count.items())
    say(f"wrote {output} ({Path(output).stat().st_size / 1e3:.0f} kB): {shown}")
    if others := sorted({*by_count} - {str(count)}):
        note(
            f"runs of earlier calls are kept as they were, with {' and '.join(others)} searches a task; "
            f"to have {count} of all, write another file with -o"
        )
