"""`nasbench train`, `predict`, `evaluate` and `export-model`: networks in files, from training to use."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.options import (
    completing,
    data_option,
    print_table,
    protocol_names,
    say_what_is_slow,
    set_option,
)
from nasbench.cli.output import is_quiet, say
from nasbench.cli.plotting import check_pictures
from nasbench.cli.protocol_changes import protocol_changes
from nasbench.errors import printable
from nasbench.texts import csv_text

if TYPE_CHECKING:
    from nasbench.models.predicting import Prediction

device_option = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:0, ...")
replace_option = click.option("--replace", is_flag=True, help="Replace the file if there is one of this kind.")
PREDICTION_COLUMNS = ("image", "rank", "class", "probability")
JSON_HEAD = '[\n  {\n    "image": '
FORMS = click.Choice(["table", "csv", "json"])


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
    unless an option says otherwise. After each epoch the state is saved beside the file: the same command continues an
    interrupted training.

    \b
    Example:
      nasbench train results/a.h5:best -o model.safetensors
      nasbench train nasnet-a --set epochs=8 --set filters=16 -o model.safetensors --curves curves.png
    """
    from nasbench.cli.model_sources import find_training
    from nasbench.models.training import train_into
    from nasbench.runners.signals import termination_as_interrupt

    changes = protocol_changes(set_, data)
    if curves is not None:
        check_pictures(curves, output)  # before a training of hours
    found = find_training(what, files, protocol, changes, seed)
    say_what_is_slow([(found.protocol.precision, [device])])
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
        except KeyboardInterrupt:
            click.echo("interrupted; the same command continues after the last completed epoch", err=True)
            raise
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
        network = _network(found.architecture.space.spec, found.architecture.hash)
        about = f"{network} on {found.protocol.data}, protocol {found.protocol.name}, seed {found.seed}"
        _draw_curves(curves, scores.curves, about)
    say(f"\nwrote {output}\nnext:  nasbench predict {output} IMAGE...")


@click.command()
@click.argument("model", type=click.Path(dir_okay=False))
@click.argument("images", nargs=-1, required=True)
@click.option("--top", default=3, show_default=True, type=click.IntRange(1), help="Classes per image.")
@click.option("--form", default="table", show_default=True, type=FORMS, help="Form of the output.")
@click.option(
    "-o",
    "--output",
    default=None,
    type=click.Path(dir_okay=False),
    help="Write to this file; - is standard output  [-].",
)
@device_option
def predict(model: str, images: Sequence[str], top: int, form: str, output: str | None, device: str) -> None:
    """Predict the classes of images with a trained network, with probabilities.

    MODEL is a file that `nasbench train` made. IMAGES are image files, or folders whose images are all taken. They are
    turned upright by EXIF, resized to the network's size and whitened, as the training images were.

    \b
    Example:
      nasbench predict model.safetensors cat.jpg dog.png
      nasbench predict model.safetensors pictures/ --top 1 --form csv -o predictions.csv
    """
    from nasbench.models.loading import load_model
    from nasbench.models.predicting import predict_files

    found = predict_files(load_model(model, device), images, top)
    if output is None or output == "-":
        _print_predictions(found, form)
        return
    form = "csv" if form == "table" else form
    file = io.StringIO()
    _write_predictions(found, form, file)
    _write(output, file.getvalue(), ",".join(PREDICTION_COLUMNS) if form == "csv" else JSON_HEAD)


def _print_predictions(found: Sequence[Prediction], form: str) -> None:
    if form != "table":
        _write_predictions(found, form, sys.stdout)
        return
    head = [part for place in range(len(found[0].classes)) for part in (f"class {place + 1}", "p")]
    rows = [[each.image, *_pairs_of(each)] for each in found]
    print_table(("image", *head), rows)


def _pairs_of(prediction: Prediction) -> list[Any]:
    pairs_ = zip(prediction.classes, prediction.probabilities)
    return [part for name, probability in pairs_ for part in (name, probability)]


def _write_predictions(found: Sequence[Prediction], form: str, file: Any) -> None:
    if form == "json":
        documents = [
            {
                "image": each.image,
                "classes": [
                    {"class": name, "probability": probability}
                    for name, probability in zip(each.classes, each.probabilities)
                ],
            }
            for each in found
        ]
        file.write(json.dumps(documents, indent=2) + "\n")
        return
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(PREDICTION_COLUMNS)
    for each in found:
        for rank, (name, probability) in enumerate(zip(each.classes, each.probabilities), start=1):
            writer.writerow((csv_text(printable(each.image)), rank, csv_text(printable(name)), probability))


@click.command()
@click.argument("model", type=click.Path(dir_okay=False))
@click.argument("data")
@click.option(
    "--part",
    default="test",
    show_default=True,
    type=click.Choice(["test", "train", "all"]),
    help="Images to score; train has the validation images, too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the whole confusion matrix.")
@click.option("--csv", "csv_", default=None, type=click.Path(dir_okay=False), help="Write the confusion matrix as CSV.")
@click.option("-o", "--output", default=None, help="Picture of the confusion matrix, e.g. confusion.png.")
@device_option
def evaluate(
    model: str, data: str, part: str, as_json: bool, csv_: str | None, output: str | None, device: str
) -> None:
    """Score a trained network on labelled images: accuracy, each class, confusion matrix.

    DATA is what --data takes elsewhere: folder:PATH, digits, cifar10, ... Classes are matched by their names.

    \b
    Example:
      nasbench evaluate model.safetensors folder:pets,size=32 -o confusion.png
    """
    from nasbench.analysis.inference.intervals import proportion_interval
    from nasbench.data import load_data
    from nasbench.models.loading import load_model
    from nasbench.models.scoring import score_model

    if output is not None:
        check_pictures(output, model)
    loaded = load_model(model, device)
    scores = score_model(loaded, load_data(data), part)  # type: ignore[arg-type]
    interval = proportion_interval(scores.accuracy, scores.images)
    low, high = interval.low, interval.high
    rows = scores.per_class()
    head = ("class", "images", "right", "recall", "precision", "most often taken for")
    if as_json:
        facts = {
            "images": scores.images,
            "accuracy": scores.accuracy,
            "interval_95": [low, high],
            "loss": scores.loss,
            "classes": list(scores.classes),
            "confusion": scores.confusion.tolist(),
        }
        click.echo(json.dumps(facts, indent=2))
    else:
        click.echo(
            f"accuracy {scores.accuracy:.4f} (95% interval {low:.4f} to {high:.4f}), loss {scores.loss:.4f} nats, "
            f"{scores.images} {part} images\n"
        )
        print_table(head, rows)
    if csv_ is not None:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        names = [csv_text(printable(name)) for name in scores.classes]
        writer.writerow(("class", *names))
        writer.writerows((name, *counts) for name, counts in zip(names, scores.confusion.tolist()))
        _write(csv_, file.getvalue(), "class,")
    if output is not None:
        trained = loaded.description
        about = f"{part} images of {data}; network {_network(trained.space, trained.hash)}, trained on {trained.data}"
        _draw_confusion(output, scores.classes, scores.confusion, about)


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


def _write(path: str, text: str, head: str) -> None:
    """Write a text file and print its path; refuse to replace a file that does not begin with `head`; "-" prints it."""
    from nasbench.errors import InputError
    from nasbench.models.files import write_beside

    if path == "-":
        click.echo(text, nl=False)
        return
    target = Path(path)
    if target.exists() and not (target.is_file() and target.read_bytes().startswith(head.encode())):
        raise InputError(f"{path!r} exists and is another kind of file, which is not replaced; choose another name")
    write_beside(target, text.encode())
    say(f"wrote {path}")


def _network(space: str, digest: str) -> str:
    return f"{digest[:12]} of {space}"


def _draw_curves(output: str, curves: Any, about: str) -> None:
    import pandas as pd

    from nasbench.analysis.plotting.trained_models import draw_training
    from nasbench.cli.plotting import save_figure

    table = pd.DataFrame({"epoch": range(1, len(curves["val_acc"]) + 1), **curves})
    save_figure(draw_training(table, about), output, (), "", table)


def _draw_confusion(output: str, classes: Sequence[str], confusion: Any, about: str) -> None:
    import pandas as pd

    from nasbench.analysis.plotting.trained_models import draw_confusion
    from nasbench.cli.plotting import save_figure

    table = pd.DataFrame(confusion, index=list(classes), columns=list(classes))
    save_figure(draw_confusion(table, about), output, (), "", table.rename_axis("class").reset_index())
