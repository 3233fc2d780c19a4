"""`nasbench predict` and `evaluate`: trained networks are used."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from nasbench.cli.options import device_option, print_table
from nasbench.cli.output import say
from nasbench.cli.outputs import put
from nasbench.cli.plotting import check_pictures
from nasbench.errors import InputError, printable
from nasbench.outputs import ending_of
from nasbench.texts import csv_text

if TYPE_CHECKING:
    from nasbench.models.predicting import Prediction

PREDICTION_COLUMNS = ("image", "rank", "class", "probability")
JSON_HEAD = '[\n  {\n    "image": '
FORMS = click.Choice(["table", "csv", "json"])


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
    named = ending_of(output, (".csv", ".json")).removeprefix(".")
    if form not in ("table", named):
        raise InputError(f"{output!r} is the name of a {named} file, and --form is {form}; leave --form out")
    form = named
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
        from nasbench.analysis.plotting.trained_models import network_in_words

        trained = loaded.description
        about = f"{part} images of {data}; network {network_in_words(trained.space, trained.hash)}, trained on {trained.data}"
        _draw_confusion(output, scores.classes, scores.confusion, about)


def _write(path: str, text: str, head: str) -> None:
    """Write a text file and print its path; refuse to replace a file that does not begin with `head`; "-" prints it."""
    if put(path, text, (head.encode(),)):
        say(f"wrote {path}")


def _draw_confusion(output: str, classes: Sequence[str], confusion: Any, about: str) -> None:
    import pandas as pd

    from nasbench.analysis.plotting.trained_models import draw_confusion
    from nasbench.cli.plotting import save_figure

    table = pd.DataFrame(confusion, index=list(classes), columns=list(classes))
    save_figure(draw_confusion(table, about), output, (), "", table.rename_axis("class").reset_index())
