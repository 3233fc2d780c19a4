"""Executors, which train children: one file per executor."""

from __future__ import annotations

from nasbench.registry import Registry
from nasbench.runners.executors.base import Executor, ExecutorOptions

__all__ = ["EXECUTORS", "Executor", "ExecutorOptions"]

EXECUTORS: Registry[type[Executor]] = Registry(
    "executor",
    "nasbench.executors",
    {
        "inline": "nasbench.runners.executors.inline:InlineExecutor",
        "local": "nasbench.runners.executors.local:LocalExecutor",
        "ray": "nasbench.runners.executors.ray_cluster:RayExecutor",
    },
)
