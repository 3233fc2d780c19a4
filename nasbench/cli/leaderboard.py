"""`nasbench leaderboard`: a static site of submissions and reference runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from nasbench.cli.bench import suite_option
from nasbench.cli.output import say
from nasbench.errors import InputError

INDEX = "index.html"


@click.command()
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False))
@click.option("-o", "--output", required=True, type=click.Path(file_okay=False), help="Folder of the site.")
@suite_option
@click.option("--reference/--no-reference", default=True, show_default=True, help="With the reference runs that ship.")
def leaderboard(files: Sequence[str], output: str, suite: str, reference: bool) -> None:
    """Write a leaderboard of submissions and reference runs as a static site, which fetches nothing.

    The site has an index with filters, one page per strategy, and the files to download. Code in submissions is shown, and
    does not run. Check each file first: nasbench bench check FILE.

    \b
    Example:
      nasbench leaderboard mine.npz theirs.npz -o site
    """
    from nasbench.analysis.bench.leaderboard import REFERENCE, SUBMISSION, Source, leaderboard_files
    from nasbench.benchmark.definition import load_benchmark
    from nasbench.benchmark.incumbents import read_runs, runs_bytes
    from nasbench.outputs import REPORT_MARKS, replace_file, require_output
    from nasbench.provenance import utc_now
    from nasbench.runners.bench.reference import reference_runs
    from nasbench.runners.bench.submissions import statement_of

    loaded = load_benchmark(suite)
    shipped = reference_runs(loaded) if reference else None
    if shipped is None and not files:
        raise InputError("name files of runs (nasbench bench ... --submit FILE), or leave --no-reference out")
    sources = []
    if shipped is not None:
        name = f"reference-{loaded.name}.npz"
        sources.append(Source(name, runs_bytes(shipped), shipped, REFERENCE, statement_of(shipped)))
    for path in map(Path, files):
        runs = read_runs(path)
        runs.require(loaded, path)
        sources.append(Source(path.name, path.read_bytes(), runs, SUBMISSION, statement_of(runs)))
    folder = Path(output)
    index = folder / INDEX
    if folder.is_dir() and any(folder.iterdir()):
        marks = REPORT_MARKS[".html"]
        require_output(index, lambda there: any(mark in there.read_bytes() for mark in marks), "leaderboard")
        if not index.exists():
            raise InputError(f"{output!r} has files and is no leaderboard; name a new folder")
    made = leaderboard_files(loaded, sources, utc_now())
    for name, content in made.items():
        replace_file(folder / name, content)
    say(f"wrote {output}: {len(made)} files; open {index}")
