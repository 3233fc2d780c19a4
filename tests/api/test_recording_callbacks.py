"""TensorBoard, MLflow and W&B: what arrives there, without a network; and the extra that is missing."""

from __future__ import annotations

import sys

import pytest

import nasbench
from nasbench.errors import MissingExtra

pytestmark = pytest.mark.filterwarnings("ignore")  # of packages that are not ours


def stop_after_two(child):
    if child.children == 2:
        child.stop()


@pytest.fixture
def recorded(tiny, tmp_path):
    def run(make):
        tiny(callbacks=[make(), stop_after_two], final="best")
        return nasbench.resume(tmp_path / "a.h5", callbacks=make(), progress=False)[0]

    return run


def test_tensorboard_has_a_step_per_child_over_both_attempts(recorded, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = recorded(lambda: nasbench.callbacks.TensorBoard(tmp_path / "logs"))
    (folder,) = (tmp_path / "logs").iterdir()
    assert run.id[:6] in folder.name
    events = EventAccumulator(str(folder)).Reload()
    scores = [(event.step, event.value) for event in events.Scalars("child/val_acc")]
    assert [step for step, _ in scores] == [1, 2, 3, 4, 5, 6]
    assert [value for _, value in scores] == pytest.approx(run.frame("search")["val_acc"].tolist())
    assert events.Scalars("search/best_val_acc")[-1].value == pytest.approx(run.val_acc)
    assert events.Scalars("final/test_acc")[-1].value == pytest.approx(run.test_acc)
    assert any("incumbent" in tag for tag in events.Tags()["tensors"])


def test_mlflow_has_one_run_with_parameters_and_a_step_per_child(recorded, tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    place = (tmp_path / "mlruns").as_uri()
    run = recorded(lambda: nasbench.callbacks.MLflow("searches", place))
    client = MlflowClient(tracking_uri=place)
    experiment = client.get_experiment_by_name("searches")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["strategy"] == "random"
    assert found.data.tags["nasbench.run"] == run.id
    assert found.data.tags["nasbench.incumbent"] == run.best.to_json()
    history = sorted(client.get_metric_history(found.info.run_id, "child/val_acc"), key=lambda metric: metric.step)
    assert [metric.step for metric in history] == [1, 2, 3, 4, 5, 6]
    assert [metric.value for metric in history] == pytest.approx(run.frame("search")["val_acc"].tolist())
    assert found.data.metrics["final/test_acc"] == pytest.approx(run.test_acc)


def test_wandb_writes_offline_files_of_each_attempt(recorded, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = recorded(lambda: nasbench.callbacks.WandB("searches", mode="offline", folder=tmp_path))
    files = sorted((tmp_path / "wandb").glob(f"offline-run-*/run-{run.id}.wandb"))
    assert len(files) == 2
    written = b"".join(file.read_bytes() for file in files)
    for name in (b"child/val_acc", b"search/best_val_acc", b"final/test_acc", b"incumbent", b"nasnet:blocks=1"):
        assert name in written, name
    assert wandb.run is None


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("TensorBoard", "tensorboard", "tensorboard"),
        ("MLflow", "mlflow.tracking", "mlflow"),
        ("WandB", "wandb", "wandb"),
    ],
)
def test_a_missing_package_is_named_with_its_extra_before_anything_is_spent(monkeypatch, name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'nasbench-suite\[{extra}\]'"):
        getattr(nasbench.callbacks, name)()


def test_importing_the_callbacks_imports_none_of_the_packages():
    import subprocess

    code = (
        "import sys, nasbench.callbacks as c; c.TensorBoard, c.MLflow, c.WandB; "
        "print(*{'tensorboard', 'mlflow', 'wandb', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
