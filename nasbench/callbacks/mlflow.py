"""A search in MLflow."""

from __future__ import annotations

from typing import Any

from nasbench.callbacks.base import Callback, FinishedChild, SearchInfo
from nasbench.callbacks.recording import numbers_of, require

_STATUS = {"complete": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MLflow(Callback):
    """Write a search as one MLflow run: its configuration as parameters, each child's numbers as metrics.

    The step is the number of children. A resumed run goes on in the MLflow run of its first attempt, which is found by
    the tag `nasbench.run`.

    Args:
        experiment: name of the MLflow experiment; created if it is missing.
        tracking_uri: address of a server, or another store of MLflow; None for MLflow's own setting. Folders need the
            environment variable MLFLOW_ALLOW_FILE_STORE=true from MLflow 3.7 on.

    Raises:
        MissingExtra: when the package `mlflow` is not installed: pip install 'nasbench-suite[mlflow]'.

    Example:
        >>> import nasbench  # doctest: +SKIP
        >>> nasbench.search(..., callbacks=[nasbench.callbacks.MLflow("searches")])  # doctest: +SKIP
    """

    def __init__(self, experiment: str = "nasbench", tracking_uri: str | None = None) -> None:
        tracking: Any = require("mlflow.tracking", "mlflow-skinny", "mlflow")
        self._client = tracking.MlflowClient(tracking_uri=tracking_uri)
        self.experiment = experiment
        self._run = ""

    def on_start(self, search: SearchInfo) -> None:
        """Begin an MLflow run, or continue that of an earlier attempt; see `Callback.on_start`."""
        experiment = self._client.get_experiment_by_name(self.experiment)
        number = experiment.experiment_id if experiment else self._client.create_experiment(self.experiment)
        earlier = self._client.search_runs([number], f"tags.`nasbench.run` = '{search.run}'", max_results=1)
        if earlier:
            self._run = earlier[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
            return
        tags = {"nasbench.run": search.run, "nasbench.file": search.path}
        self._run = self._client.create_run(number, run_name=search.name, tags=tags).info.run_id
        for name, value in search.config.items():
            self._client.log_param(self._run, name, value)

    def on_child(self, child: FinishedChild) -> None:
        """Log the child's numbers; the step is the number of counted children; see `Callback.on_child`."""
        for name, value in numbers_of(child).items():
            self._client.log_metric(self._run, name, value, step=child.children)

    def on_incumbent(self, child: FinishedChild) -> None:
        """Set the tag `nasbench.incumbent` to the architecture; see `Callback.on_incumbent`."""
        self._client.set_tag(self._run, "nasbench.incumbent", child.architecture.to_json())

    def on_final(self, child: FinishedChild) -> None:
        """Log the numbers; the step is the index among the final trainings; see `Callback.on_final`."""
        for name, value in numbers_of(child, "final/").items():
            if name.startswith("final/"):
                self._client.log_metric(self._run, name, value, step=child.index)

    def on_end(self, search: SearchInfo, status: str) -> None:
        """End the MLflow run with the status of the search; see `Callback.on_end`."""
        self._client.set_terminated(self._run, _STATUS[status])
