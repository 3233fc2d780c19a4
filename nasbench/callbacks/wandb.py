"""A search in Weights & Biases."""

from __future__ import annotations

import os
from typing import Any

from nasbench.callbacks.base import Callback, FinishedChild, SearchInfo
from nasbench.callbacks.recording import numbers_of, require


class WandB(Callback):
    """Write a search as one run of Weights & Biases: its configuration, and a step per child.

    A resumed run goes on in the W&B run of its first attempt, whose id is that of the run; offline, each attempt is a
    run of its own until `wandb sync` puts them together.

    Args:
        project: name of the project.
        mode: "online", "offline" (files only; send them with `wandb sync`) or "disabled"; None for W&B's own setting.
        folder: where files go; None for W&B's own setting.

    Raises:
        MissingExtra: when the package `wandb` is not installed: pip install 'nasbench-suite[wandb]'.

    Example:
        >>> import nasbench  # doctest: +SKIP
        >>> nasbench.search(..., callbacks=[nasbench.callbacks.WandB("searches", mode="offline")])  # doctest: +SKIP
    """

    def __init__(
        self, project: str = "nasbench", mode: str | None = None, folder: str | os.PathLike[str] | None = None
    ) -> None:
        self._wandb = require("wandb", "wandb", "wandb")
        self.project, self.mode, self.folder = project, mode, folder
        self._run: Any = None

    def on_start(self, search: SearchInfo) -> None:
        """Begin a W&B run, or continue that of an earlier attempt; see `Callback.on_start`."""
        self._run = self._wandb.init(
            project=self.project,
            id=search.run,
            name=search.name,
            config=dict(search.config),
            mode=self.mode,
            dir=None if self.folder is None else str(self.folder),
            resume="allow",
        )

    def on_child(self, child: FinishedChild) -> None:
        """Log the child's numbers and the number of counted children; see `Callback.on_child`."""
        self._run.log(numbers_of(child) | {"search/children": child.children})

    def on_incumbent(self, child: FinishedChild) -> None:
        """Write the architecture into the run's summary; see `Callback.on_incumbent`."""
        self._run.summary["incumbent"] = child.architecture.to_json()

    def on_final(self, child: FinishedChild) -> None:
        """Log the numbers of a final training; see `Callback.on_final`."""
        self._run.log({name: value for name, value in numbers_of(child, "final/").items() if name.startswith("final/")})

    def on_end(self, search: SearchInfo, status: str) -> None:
        """Write the status into the summary, and end the W&B run; see `Callback.on_end`."""
        self._run.summary["status"] = status
        self._run.finish(exit_code=int(status == "failed"))
