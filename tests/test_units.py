from __future__ import annotations

import pytest

from nasbench.costs.units import device_time


@pytest.mark.parametrize(
    ("devices", "name"),
    [
        (["cpu"], "device-hours"),
        (["cpu", ""], "device-hours"),
        (["NVIDIA H200", "Tesla V100-SXM2-16GB"], "GPU-hours"),
        (["cuda:0", "cuda:1"], "GPU-hours"),
        (["NVIDIA H200", "", None, float("nan")], "GPU-hours"),
        (["cpu", "NVIDIA H200"], "device-hours"),
        (["TPU v2"], "device-hours"),
        (["table"], "device-hours"),  # a replay
        (["surrogate"], "device-hours"),
        ([""], "device-hours"),
        ([], "device-hours"),
    ],
)
def test_hours_are_of_gpus_only_where_all_known_devices_are(devices, name):
    assert device_time(devices) == name
    assert device_time(devices, "seconds") == name.replace("hours", "seconds")
