"""Files of a training: the model at its end, and the state to continue from after each epoch."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nasbench.errors import InputError
from nasbench.models.description import ModelDescription, finite
from nasbench.models.files import MODEL, START_ANEW, STATE, read_document, remove_left_over, write_document
from nasbench.provenance import utc_now

if TYPE_CHECKING:
    from torch import Tensor

    from nasbench.training.evaluation import Child, Evaluation, Trained
    from nasbench.training.loop import History, TrainingState

_SCORES: Final = ("val_acc", "val_acc_best", "val_loss", "train_acc", "train_loss", "test_acc", "test_loss")
_PACKAGES: Final = ("nasbench-suite", "torch", "numpy", "safetensors")


def describe(child: Child, trained: Trained, evaluation: Evaluation) -> ModelDescription:
    """Describe a trained network.

    Args:
        child: the training.
        trained: its network.
        evaluation: its scores.

    Returns:
        The description.
    """
    space, dataset, protocol = child.architecture.space, trained.dataset, child.protocol
    return ModelDescription(
        space=space.spec,
        choices=child.architecture.choices,
        hash=child.architecture.hash,
        network_version=space.built_version,
        protocol=protocol,
        fingerprint=protocol.fingerprint(dataset.digest, space.built_version),
        seed=child.seed,
        data=dataset.name,
        data_digest=dataset.digest,
        classes=dataset.classes,
        image_size=dataset.size,
        image_channels=dataset.channels,
        mean=tuple(trained.whitening.mean.tolist()),
        deviation=tuple(trained.whitening.deviation.tolist()),
        levels=dataset.reading.levels,
        scores=finite({name: getattr(evaluation, name) for name in _SCORES}),
        curves={name: tuple(values) for name, values in evaluation.curves.items()},
        device=evaluation.device,
        platform=evaluation.platform,
        versions={name: version(name) for name in _PACKAGES},
        trained_at=utc_now(),
    )


def save_model(path: Path, child: Child, trained: Trained, evaluation: Evaluation) -> None:
    """Write a model file.

    Args:
        path: the file.
        child: the training.
        trained: its network; weights of an auxiliary classifier are left out.
        evaluation: its scores.

    Raises:
        InputError: when the path holds another kind of file, or cannot be written.
    """
    import torch

    description = describe(child, trained, evaluation)
    with torch.device("meta"):  # the network of use, which has no auxiliary classifier
        plain = child.architecture.space.build(child.architecture, description.scale)
    weights = trained.network.state_dict()
    write_document(path, {name: weights[name] for name in plain.state_dict()}, MODEL, description.to_json())


@dataclass(frozen=True)
class KeepModel:
    """Saves the model of a training, and after each epoch the state to continue from.

    Args:
        path: the model file.
        identity: JSON values that identify the training; a state of another training is refused.
        shown: whether to print a line per epoch on standard error.
    """

    path: Path
    identity: Mapping[str, Any] = field(default_factory=dict)
    shown: bool = True

    @property
    def state_path(self) -> Path:
        """File of the unfinished training, beside the model file; it is removed when the training has ended."""
        return self.path.with_name(f"{self.path.name}.training")

    def saved(self) -> TrainingState | None:
        """Read the state of an interrupted training, and print that it continues.

        Returns:
            See `read_state`.
        """
        state = self.read_state()
        if state is not None:
            self._say(f"continuing after epoch {state.history.epochs}")
        return state

    def read_state(self) -> TrainingState | None:
        """Read the state of an interrupted training.

        Returns:
            The state; None if there is none.

        Raises:
            InputError: when the file is of another training, or damaged.
        """
        from nasbench.training.loop import TrainingState

        if not self.state_path.exists():
            return None
        document, tensors = read_document(self.state_path, STATE)
        try:
            values = json.loads(document)
            there, found = dict(values["identity"]), history_of(values["history"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise InputError(f"{str(self.state_path)!r} is damaged: {START_ANEW}") from None
        if differs := sorted(
            key for key in self.identity.keys() | there.keys() if self.identity.get(key) != there.get(key)
        ):
            shown = ", ".join(f"{key} {there.get(key)!r} instead of {self.identity.get(key)!r}" for key in differs[:3])
            raise InputError(f"{str(self.state_path)!r} is of another training ({shown}): {START_ANEW}")
        return TrainingState(tensors, found)

    def epoch(self, history: History, epochs: int, state: Callable[[], TrainingState]) -> None:
        """Write the state beside the model file, and print the epoch's scores; see `Keeper.epoch`."""
        if history.epochs < epochs:
            self._write_state(state().tensors, history)
        last = {name: values[-1] for name, values in history.curves.items()}
        left = last["seconds"] * (epochs - history.epochs)
        self._say(
            f"epoch {history.epochs}/{epochs}: train_loss {last['train_loss']:.4f}, train_acc {last['train_acc']:.4f}, "
            f"val_acc {last['val_acc']:.4f}, {last['seconds']:.1f} s, {left:.0f} s left"
        )

    def trained(self, child: Child, trained: Trained, evaluation: Evaluation) -> None:
        """Write the model file and remove the state; see `Keeper.trained`."""
        save_model(self.path, child, trained, evaluation)
        self.state_path.unlink(missing_ok=True)
        remove_left_over(self.state_path)

    def _write_state(self, tensors: Mapping[str, Tensor], history: History) -> None:
        write_document(self.state_path, tensors, STATE, state_document(self.identity, history))

    def _say(self, text: str) -> None:
        if self.shown:
            print(text, file=sys.stderr, flush=True)


def state_document(identity: Mapping[str, Any], history: History) -> str:
    """Write what a file of a training's state holds beside its tensors.

    Args:
        identity: JSON values that identify the training.
        history: curves and seconds so far.

    Returns:
        A JSON document.
    """
    numbers = {
        "curves": history.curves,
        "train_seconds": history.train_seconds,
        "eval_seconds": history.eval_seconds,
    }
    return json.dumps({"identity": dict(identity), "history": numbers}, allow_nan=False)


def history_of(values: Mapping[str, Any]) -> History:
    """Read a history from JSON.

    Args:
        values: entry "history" of a state's document; it may be anything.

    Returns:
        The history.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: when it is no history.
    """
    from nasbench.training.loop import History

    curves = {name: [float(value) for value in column] for name, column in values["curves"].items()}
    lengths = {len(column) for column in curves.values()}
    if curves.keys() != History().curves.keys() or len(lengths) != 1 or lengths == {0}:
        raise ValueError("curves should have one value per epoch")
    return History(curves, float(values["train_seconds"]), float(values["eval_seconds"]))
