"""`nasbench train` and `export-model`: files of networks are made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nasbench.cli.options import (
    completing,
    data_option,
    device_option,
    print_table,
    protocol_names,
    say_what_is_slow,
    set_option,
)
from nasbench.cli.output import is_quiet, note, say
from nasbench.cli.plotting import check_pictures
from nasbench.cli.protocol_changes import protocol_changes

replace_option = click.option("--replace", is_flag=True, help="Replace the file if there is one of this kind.")


@click.command()
@click.argument("what")
@click.argument("files", nargs=-1)
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False), help="Model file, e.g. model.safetensors."
)
@click.option(
    "--protocol",
    default=None,
    shell_complete=completing(protocol_names),
    help="Protocol of the training  [that of the child in the results file; otherwise digits].",
)
@data_option
@set_option
@click.option("--seed", default=None, type=click.IntRange(0), help="Training seed  [that of the child; otherwise 0].")
@click.option("--no-test", is_flag=True, help="Do not score the test images.")
@click.option("--curves", default=None, help="Picture of the learning curves, e.g. curves.png; CSV is written beside.")
@device_option
@replace_option
def train(
    what: str,
    files: Sequence[str],
    output: str,
    protocol: str | None,
    data: str | None,
    set_: Sequence[str],
    seed: int | None,
    no_test: bool,
    curves: str | None,
    device: str,
    replace: bool,
) -> None:
    """Train one architecture, and save network, protocol, classes and scores in one file.

    WHAT is FILE.h5:best, a hash or its first digits (found in FILES or in results/*.h5), JSON as `nasbench show` prints
    it, or a published name such as nasnet-a. A child of a results file is trained as its search trained it, to the bit,
    unless an option says otherwise; one that the search stopped early is trained on over all epochs of its protocol, and a
    note says so. After each epoch the state is saved beside the file: the same command continues an
    interrupted training.

    \b
    Example:
      nasbench train results/a.h5:best -o model.safetensors
      nasbench train nasnet-a --set epochs=8 --set filters=16 -o model.safetensors --curves curves.png
    """
    from nasbench.cli.model_sources import find_training
    from nasbench.models.training import train_into
    from nasbench.runners.signals import explained, termination_as_interrupt

    changes = protocol_changes(set_, data)
    if curves is not None:
        check_pictures(curves, output)  # before a training of hours
    found = find_training(what, files, protocol, changes, seed)
    say_what_is_slow([(found.protocol.precision, [device])])
    if found.stopped_after:
        note(
            f"the search stopped this child after epoch {found.stopped_after}; it is trained over all "
            f"{found.protocol.epochs} epochs of its protocol, so its scores are others"
        )
    shown = not is_quiet()
    with termination_as_interrupt():
        try:
            scores = train_into(
                output,
                found.architecture,
                found.protocol,
                seed=found.seed,
                test=not no_test,
                device=device,
                replace=replace,
                shown=shown,
            )
        except KeyboardInterrupt as interrupt:
            click.echo("interrupted; the same command continues after the last completed epoch", err=True)
            raise explained(interrupt) from None
    print_table(
        ("hash", "params", "mult_adds", "epochs", "val_acc", "test_acc", "seconds"),
        [
            (
                found.architecture.hash[:12],
                scores.params,
                scores.mult_adds,
                scores.epochs,
                scores.val_acc,
                scores.test_acc,
                scores.train_seconds + scores.eval_seconds,
            )
        ],
    )
    if curves is not None:
        from nasbench.analysis.plotting.trained_models import network_in_words

        network = network_in_words(found.architecture.space.spec, found.architecture.hash)
        about = f"{network} on {found.protocol.data}, protocol {found.protocol.name}, seed {found.seed}"
        _draw_curves(curves, scores.curves, about)
    say(f"\nwrote {output}\nnext:  nasbench predict {output} IMAGE...")


@click.command("export-model")
@click.argument("model", type=click.Path(dir_okay=False))
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="File ending in .onnx or .pt2.")
@replace_option
def export_model(model: str, output: str, replace: bool) -> None:
    """Export a trained network with its whitening, and check that the export computes the same.

    The input "images" is uint8 [images, channels, side, side], the outputs are "logits" and "probabilities". An .onnx
    file is checked with onnxruntime (extra onnx), a .pt2 file with torch.export.

    \b
    Example:
      nasbench export-model model.safetensors -o model.onnx
    """
    from nasbench.models.exporting import export_model as export
    from nasbench.models.loading import load_model

    difference = export(load_model(model), Path(output), replace)
    say(f"wrote {output}: results differ by at most {difference:.1e} from the network's")


def _draw_curves(output: str, curves: Any, about: str) -> None:
    import pandas as pd

    from nasbench.analysis.plotting.trained_models import draw_training
    from nasbench.cli.plotting import save_figure

    table = pd.DataFrame({"epoch": range(1, len(curves["val_acc"]) + 1), **curves})
    save_figure(draw_training(table, about), output, (), "", table)
