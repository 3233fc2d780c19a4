"""A search in TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nasbench.callbacks.base import Callback, FinishedChild, SearchInfo
from nasbench.callbacks.recording import numbers_of, require


class TensorBoard(Callback):
    """Write each child's scores, costs and architecture for TensorBoard; the step is the number of children.

    A resumed run goes on in the folder of its first attempt.

    Args:
        folder: where event files go; each run gets a folder of its own inside, so that runs can be compared.

    Raises:
        MissingExtra: when the package `tensorboard` is not installed: pip install 'nasbench-suite[tensorboard]'.

    Example:
        >>> import nasbench  # doctest: +SKIP
        >>> nasbench.search(..., callbacks=[nasbench.callbacks.TensorBoard("logs")])  # doctest: +SKIP
    """

    def __init__(self, folder: str | os.PathLike[str] = "tensorboard") -> None:
        require("tensorboard", "tensorboard", "tensorboard")
        self.folder = Path(folder)
        self._writer: Any = None

    def on_start(self, search: SearchInfo) -> None:
        """Open an event file, and write the configuration as text; see `Callback.on_start`."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.folder / search.name))
        lines = "\n".join(f"    {name}: {value}" for name, value in search.config.items())
        self._writer.add_text("configuration", lines, search.children)

    def on_child(self, child: FinishedChild) -> None:
        """Write the child's numbers; the step is the number of counted children; see `Callback.on_child`."""
        for name, value in numbers_of(child).items():
            self._writer.add_scalar(name, value, child.children)

    def on_incumbent(self, child: FinishedChild) -> None:
        """Write the architecture as text; see `Callback.on_incumbent`."""
        self._writer.add_text("incumbent", f"    {child.architecture}", child.children)

    def on_final(self, child: FinishedChild) -> None:
        """Write the numbers; the step is the index among the final trainings; see `Callback.on_final`."""
        for name, value in numbers_of(child, "final/").items():
            if name.startswith("final/"):
                self._writer.add_scalar(name, value, child.index)

    def on_end(self, search: SearchInfo, status: str) -> None:
        """Close the event file; see `Callback.on_end`."""
        self._writer.close()
