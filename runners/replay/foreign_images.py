"""What a replay says of super-networks that learn from other images than those of the table."""

from __future__ import annotations

from nasbench.data import load_data
from nasbench.runners.replay.replay import Setting


def note_on_images(setting: Setting, data: str) -> str:
    """Say that a strategy with shared weights trains its super-network on other data than a table is of.

    A table does not say how its children were trained, so the data are those of the strategy's own protocol.

    Args:
        setting: the strategy with its options.
        data: name of the table's data set.

    Returns:
        A sentence; "" for the same data, and for strategies that share no weights.

    Raises:
        MissingData: when the super-network's data are not on this machine.
    """
    if setting.kind.charged_as != "supernet":
        return ""
    from nasbench.runners.strategies.one_shot import OneShotConfig

    if not isinstance(setting.config, OneShotConfig):
        return ""
    own = load_data(setting.config.super_protocol().data).name
    if own == data:
        return ""
    return (
        f"{setting.shown}: its super-network is trained on {own}, and the table is of {data}, so its architectures are chosen for other "
        f"images; give data, protocol and scale, e.g. {setting.name}:protocol=nasbench201,data=cifar10"
    )
