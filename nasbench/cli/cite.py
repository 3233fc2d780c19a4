"""`nasbench cite`: BibTeX of what was used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from nasbench.cli.options import completing, strategy_names
from nasbench.cli.output import note
from nasbench.cli.outputs import put
from nasbench.errors import printable

Used = tuple[list[str], list[str], list[str], str]
"""Strategies, spaces, protocols, and the name of a benchmark suite ("" for none)."""


@click.command()
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False))
@click.option("--suite", "suites", multiple=True, metavar="NAME", help="A benchmark suite, e.g. suite-v1; repeatable.")
@click.option("--table", "tables", multiple=True, metavar="NAME", help="A table that ships; repeatable.")
@click.option(
    "--strategy", "strategies", multiple=True, shell_complete=completing(strategy_names), help="A strategy; repeatable."
)
@click.option(
    "-o", "--output", default="-", type=click.Path(dir_okay=False), help="File of the entries (.bib)  [printed]."
)
def cite(
    files: Sequence[str], suites: Sequence[str], tables: Sequence[str], strategies: Sequence[str], output: str
) -> None:
    """Print BibTeX entries: of this package, and of the suite, tables, strategies and spaces that FILES use.

    FILES are results files and files of benchmark runs. Papers of strategies and spaces come from the sources that their
    documentation states.

    \b
    Example:
      nasbench cite
      nasbench cite results/claims.h5
      nasbench cite --suite suite-v1 --strategy evolution
    """
    from nasbench.benchmark.definition import load_benchmark
    from nasbench.citing.bibtex import cited_by, of_suite, of_table, once, paper, software
    from nasbench.outputs import STANDARD_OUTPUT, ending_of
    from nasbench.runners.strategies import STRATEGIES
    from nasbench.runners.strategies.source_files import strategy_class
    from nasbench.spaces import get_space
    from nasbench.tabular.catalogue import shipped_table, shipped_tables

    if output != STANDARD_OUTPUT:
        ending_of(output, (".bib",))
    used = [_used(Path(file)) for file in files]
    named = [(name, strategy_class(name)) for name in strategies]
    trained = {
        name for each in used for name in each[2]
    }  # protocols, and fingerprints of the tables that were replayed
    wanted = dict.fromkeys(
        [
            *tables,
            *(
                name
                for name, each in shipped_tables().items()
                if trained & {each.protocol, *each.fingerprints.values()}
            ),
        ]
    )
    loaded = [load_benchmark(name) for name in dict.fromkeys([*suites, *(each[3] for each in used if each[3])])]
    wanted |= dict.fromkeys(task.table for suite in loaded for task in suite.tasks if task.table)
    entries = [software(), *map(of_suite, loaded)]
    for name in wanted:
        table = shipped_table(name)
        entries += [of_table(table), *(paper(key) for key in table.cite if key != "nasbench")]
    if loaded:
        entries.append(paper("hansen2021coco"))
    for name in dict.fromkeys(name for each in used for name in each[0]):
        if name in STRATEGIES:
            named.append((name, STRATEGIES.get(name)))
        else:  # no code runs because a file names it
            note(f"no papers of {printable(name)}: it is not registered here; cite its paper yourself")
    for name, kind in named:
        entries += cited_by(kind, f"strategy {name}")
    for spec in dict.fromkeys(spec for each in used for spec in each[1]):
        entries += cited_by(type(get_space(spec)), f"space {spec}")
    if put(output, "\n\n".join(once(entries)) + "\n", (b"@software{nasbench,",)):
        note(f"wrote {output}")


def _used(path: Path) -> Used:
    from nasbench.benchmark.definition import load_benchmark
    from nasbench.benchmark.incumbents import read_runs
    from nasbench.store.format.schema import TABLE
    from nasbench.store.query import Results
    from nasbench.tabular.array_files import ENDING

    if path.suffix == ENDING:
        runs = read_runs(path)
        runs.require(load_benchmark(runs.suite), path)
        return [entry.strategy for entry in runs.entries], [], [], runs.suite
    with Results(str(path)) as results:
        frame = results.runs()
    names = [name for name in dict.fromkeys(frame["strategy"]) if name != TABLE]
    trained = dict.fromkeys([*frame["protocol"], *frame["fingerprint"]])
    return names, list(dict.fromkeys(frame["space"])), list(trained), ""
