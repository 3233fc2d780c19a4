"""Check of optional packages (extras) and of a browser for developers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Final

from nasbench.doctor.findings import Finding

USES: Final = {
    "fast": "results files of a million rows are read several times faster",
    "parquet": "export and query --format parquet",
    "ray": "--executor ray: children on a cluster",
    "nvml": "measured energy of GPUs",
    "tensorboard": "searches in TensorBoard: nasbench.callbacks.TensorBoard",
    "mlflow": "searches in MLflow: nasbench.callbacks.MLflow",
    "wandb": "searches in Weights & Biases: nasbench.callbacks.WandB",
    "dev": "the suite's own tests",
    "mutation": "faults put into the suite's own code: make test-mutations",
    "docs": "the documentation site: make docs",
}
"""Purpose of each extra of the suite."""

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def check_chromium(names: Sequence[str] = CHROMIUM, path: str | None = None) -> list[Finding]:
    """Look for a browser in which the tests of the report's page run.

    Args:
        names: of programs.
        path: folders to search; None for PATH.
    """
    found = next((program for name in names if (program := shutil.which(name, path=path))), None)
    if found is None:
        said = "not found: the tests of the report's page are skipped; nothing else needs it"
        return [Finding("extras", "chromium", "note", said, "for development: apt install chromium")]
    return [Finding("extras", "chromium", "ok", f"{found} (tests of the report's page)")]
