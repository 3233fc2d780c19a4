"""Pictures of trained networks: what their captions name, and names that matplotlib would read as formulas."""

from __future__ import annotations

import pandas as pd

from nasbench.analysis.plotting.captions import caption_of
from nasbench.analysis.plotting.saving import save
from nasbench.analysis.plotting.trained_models import draw_confusion, draw_training

ODD = "$\\bad{$"


def test_names_with_dollar_signs_are_drawn_as_they_are(tmp_path):
    confusion = pd.DataFrame([[3, 1], [0, 2]], index=[ODD, "b_1^2"], columns=[ODD, "b_1^2"])
    figure = draw_confusion(confusion, f"test images of folder-{ODD}")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [ODD, "b_1^2"]
    assert caption_of(figure) == f"Confusion matrix of 6 images, 5 of them right: test images of folder-{ODD}."
    save(figure, tmp_path / "confusion.png", confusion)
    assert (tmp_path / "confusion.png").stat().st_size > 1000


def test_curves_say_of_what_they_are(tmp_path):
    curves = pd.DataFrame({"epoch": [1, 2], "train_acc": [0.1, 0.5], "val_acc": [0.1, 0.4]})
    figure = draw_training(curves, f"abc of nasnet on folder:{ODD}, protocol images, seed 0")
    assert (
        caption_of(figure)
        == f"Accuracy by epoch of one training: abc of nasnet on folder:{ODD}, protocol images, seed 0."
    )
    save(figure, tmp_path / "curves.png", curves)
    assert (tmp_path / "curves.png").exists()
