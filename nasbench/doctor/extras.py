"""Purpose of the optional packages (extras), and the check for a browser, which developers need."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Final

from nasbench.doctor.findings import Finding

USES: Final = {
    "fast": "reads results files of a million rows, and evaluates surrogates, several times faster",
    "parquet": "export and query --format parquet",
    "ray": "--executor ray: children on a cluster",
    "datasets": "--data hf:PATH: data sets that Hugging Face's package saved to disk",
    "nvml": "measures the energy of GPUs",
    "onnx": "nasbench export-model to ONNX, nasbench latency --method onnxruntime",
    "tensorboard": "searches in TensorBoard: nasbench.callbacks.TensorBoard",
    "mlflow": "searches in MLflow: nasbench.callbacks.MLflow",
    "wandb": "searches in Weights & Biases: nasbench.callbacks.WandB",
    "optuna": "--strategy optuna: samplers of Optuna; nasbench.adapters.optuna",
    "pymoo": "--strategy pymoo: genetic algorithms of pymoo",
    "syne-tune": "--strategy syne_tune: searchers of Syne Tune; nasbench.adapters.syne_tune",
    "croissant": "validation of the tables' Croissant metadata by mlcroissant",
    "dev": "the suite's own tests",
    "mutation": "mutation tests of the suite: make test-mutations",
    "docs": "the documentation site: make docs",
}
"""Purpose of each extra of the suite."""

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def check_chromium(names: Sequence[str] = CHROMIUM, path: str | None = None) -> list[Finding]:
    """Look for the browser that the tests of the HTML report need.

    Args:
        names: names of its program.
        path: folders to search, separated as in PATH; None for PATH.

    Returns:
        One finding.
    """
    found = next((program for name in names if (program := shutil.which(name, path=path))), None)
    if found is None:
        said = "not found: tests of the HTML report are skipped; nothing else needs it"
        return [Finding("extras", "chromium", "note", said, "for development: apt install chromium")]
    return [Finding("extras", "chromium", "ok", f"{found} (tests of the HTML report)")]
