"""Batch and learning rate of a transfer protocol for data sets smaller than ImageNet. No torch."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from nasbench.protocols.protocol import with_overrides
from nasbench.transfer.protocol import TransferProtocol

STEPS: Final = 10  # of an epoch, below which a batch is made smaller
SMALLEST: Final = 16  # images of a batch, where the data have twice as many


def fit_batch(
    protocol: TransferProtocol, images: int, processes: int, given: Collection[str] = ()
) -> tuple[TransferProtocol, str]:
    """Make the batch of a protocol smaller where an epoch would have fewer than ten steps.

    The new batch is the largest power of two, times the number of processes, that gives ten steps; it is 16 if that
    gives fewer images, and leaves two steps at least. The learning rate changes in proportion to the batch.

    Args:
        protocol: the protocol.
        images: number of training images, >= 1.
        processes: number of processes, >= 1.
        given: fields that the user set; with "batch_size" nothing changes, and the others stay as they are.

    Returns:
        The protocol, and a line that says what was chosen; the line is "" if nothing was.
    """
    before = protocol.batch_size
    if "batch_size" in given or before * STEPS <= images:
        return protocol, ""
    limit = min(max(images / STEPS, SMALLEST), images / 2) / processes
    part = 2
    while part * 2 <= limit:
        part *= 2
    batch = part * processes
    if batch >= before:
        return protocol, ""
    changes: dict[str, Any] = {"batch_size": batch}
    if "learning_rate" not in given:
        changes["learning_rate"] = protocol.learning_rate * batch / before
    if "replica_batch" not in given and protocol.replica_batch > part:
        changes["replica_batch"] = part
    said = ", ".join(f"{field}={value:g}" for field, value in changes.items())
    of = f"(its batch_size is {before}; --set replaces any)"
    line = f"protocol {protocol.name} for {images} training images: {said} {of}"
    return with_overrides(protocol, changes, f"transfer protocol {protocol.name!r}"), line
