"""Measurements of networks from Python: `latency`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from nasbench.protocols.protocol import Protocol, get_protocol, overridden
from nasbench.spaces import Architecture

if TYPE_CHECKING:
    import pandas as pd


def latency(
    architectures: Architecture | str | Sequence[Architecture | str],
    protocol: str | Protocol = "digits",
    *,
    set: Mapping[str, Any] | None = None,
    device: str = "cpu",
    method: Literal["eager", "compile", "onnxruntime"] = "eager",
    batch: int = 1,
    threads: int = 1,
    repetitions: int = 50,
    warm_up: int = 5,
    seed: int = 0,
    output: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Measure how long networks take for one image or one batch. As `nasbench latency`.

    The repetitions of all networks are interleaved, so that a slow phase of the machine falls on all alike.

    Args:
        architectures: one or several: values, their JSON, or names of published ones, e.g. "nasnet-a".
        protocol: protocol whose cells, filters and image size the networks have: a name, or a value of `get_protocol`.
        set: fields of the protocol to replace, e.g. {"filters": 8}.
        device: "cpu", "cuda" or "cuda:1".
        method: "eager", "compile" (torch.compile) or "onnxruntime" (extra onnx).
        batch: images per call, >= 1.
        threads: CPU threads of one call, from 1 to the number of processors.
        repetitions: timed calls per network, >= 1.
        warm_up: untimed calls per network before, >= 0.
        seed: seed of the orders in which the networks are called, >= 0.
        output: results file in which the measurements are stored, too; None to store nothing.

    Returns:
        One row per architecture, with the columns of `nasbench.open(path).measurements()`: value is the median in
        seconds of a call with the whole batch, low and high are the 5% and 95% quantiles.

    Raises:
        InputError: when an argument cannot be used, or two architectures have the same hash.
        MissingExtra: when the method needs a package that is not installed.
        MissingData: when the protocol's data is not there.
        StoreError: when the output cannot be written; nothing is measured if another process writes it.

    Example:
        >>> import nasbench
        >>> space = nasbench.get_space("nasbench201")
        >>> cells = [space.decode([3, 3, 3, 3, 3, 3]), space.decode([1, 1, 1, 1, 1, 1])]
        >>> found = nasbench.latency(cells, set={"filters": 4}, repetitions=3, output="latencies.h5")
        >>> bool((found["value"] > 0).all()), len(nasbench.open("latencies.h5").measurements())
        (True, 2)
    """
    import pandas as pd

    from nasbench.api.evaluating import architecture_of
    from nasbench.data import load_data
    from nasbench.measuring.latency import measure_into, measure_latency
    from nasbench.measuring.runners import Setting

    given = [architectures] if isinstance(architectures, Architecture | str) else list(architectures)
    chosen = overridden(get_protocol(protocol) if isinstance(protocol, str) else protocol, set or {})
    setting = Setting(device, method, batch, threads)
    setting.check()
    setting.require_processors()
    dataset = load_data(chosen.data)
    scale = chosen.scale(dataset.size, dataset.channels, len(dataset.classes))

    def measured() -> list[dict[str, Any]]:
        return measure_latency(
            [architecture_of(each) for each in given],
            scale,
            [setting],
            protocol=chosen.name,
            data=chosen.data,
            repetitions=repetitions,
            warm_up=warm_up,
            seed=seed,
        )

    return pd.DataFrame(measured() if output is None else measure_into(output, measured))
