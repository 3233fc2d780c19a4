"""`nasbench surrogate`: predictions in place of a complete table, for spaces that cannot be enumerated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from nasbench.cli.options import print_table
from nasbench.cli.output import note, say

if TYPE_CHECKING:
    from nasbench.tabular.surrogates.model import Surrogate


@click.group()
def surrogate() -> None:
    """Fit and show surrogate tables: predictions for spaces that cannot be enumerated.

    \b
    Example:
      nasbench run --space nasnet:blocks=5 --strategy random --budget "3000 children" --child-seeds child --final none -o trained.h5
      nasbench surrogate fit trained.h5 -o s.h5
      nasbench replay --table s.h5 --strategy random --strategy ppo --draw one --seeds 5 --budget "2000 children" -o replays.h5
    """


@surrogate.command("fit")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(dir_okay=False))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="New file of the surrogate (.h5).")
@click.option(
    "--folds", default=5, show_default=True, type=click.IntRange(2, 50), help="Folds of the cross-validation."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of folds and models.")
def fit(files: Sequence[str], output: str, folds: int, seed: int) -> None:
    """Fit a surrogate to the children of results files, of one space, protocol and data set.

    Gradient boosting and a forest predict the validation accuracy from the decisions of an architecture, its parameters and
    its multiply-adds; boosting alone predicts the seconds. What is printed, and stored, is of held-out architectures: each was
    predicted by models that had not seen it. The noise of simulated trainings is the spread between trainings of one
    architecture where 20 or more have several, otherwise that of held-out scores around their predictions.

    \b
    Example:
      nasbench surrogate fit trained.h5 -o s.h5
    """
    from nasbench.tabular.surrogates.files import require_new, write_surrogate
    from nasbench.tabular.surrogates.fitting import fit_surrogate

    require_new(output)
    found = fit_surrogate(files, folds, seed, note)
    write_surrogate(found, output)
    _print(found)
    say(f"wrote {os.fspath(output)}")


@surrogate.command("show")
@click.argument("file", type=click.Path(dir_okay=False))
def show_surrogate(file: str) -> None:
    """Show what a surrogate was fitted to, and how well it predicts held-out trainings.

    \b
    Example:
      nasbench surrogate show s.h5
    """
    from nasbench.tabular.surrogates.files import read_surrogate

    found = read_surrogate(file)
    _print(found)
    about = found.about
    click.echo(f"{'fingerprint:':24s}{found.fingerprint} of its scores; the trainings have {about.fingerprint}")
    click.echo(f"{'left out:':24s}{about.left_out} children without a score")
    click.echo(f"{'seconds per training:':24s}{about.mean_seconds:.3g}")
    for source in about.sources:
        click.echo(f"{'fitted to:':24s}{source.name}, rows {source.digest}")
    for name in ("time", "commit", "python"):
        click.echo(f"{name + ':':24s}{about.made.get(name, '')}")


def _print(found: Surrogate) -> None:
    """Print the description and the table of held-out qualities."""
    for line in found.lines():
        click.echo(line)
    head = ("model", "predicts", "held out", "Kendall's tau", "R2", "error", "in 50%", "in 80%", "in 95%", "NLL")
    rows = []
    for name, each in found.about.quality.items():
        error = f"{each.rmse:.3f} of log" if name == "seconds" else f"{100 * each.rmse:.2f} points"
        shares = (f"{share:.0%}" for share in (each.within_50, each.within_80, each.within_95))
        what = "seconds" if name == "seconds" else "val_acc"
        model = "boosting" if name == "seconds" else name
        rows.append(
            (model, what, each.n, f"{each.kendall_tau:.3f}", f"{each.r2:.3f}", error, *shares, f"{each.nll:.2f}")
        )
    print_table(head, rows)
