"""A tiny network and protocol for trainings on folders of images, and what their processes run in tests."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from nasbench.networks.cells import build_cell_network
from nasbench.structures import Block, Cell, CellPair, Regularization, Scale
from nasbench.transfer.family import Size
from nasbench.transfer.parallel import Share
from nasbench.transfer.protocol import TransferProtocol
from nasbench.transfer.training import TransferJob, batch_losses, shared_heads

CELL = Cell((Block(0, "sep_conv_3x3", 1, "identity"), Block(2, "avg_pool_3x3", 1, "conv_1x1")), (3,))
PAIR = CellPair(CELL, CELL)
PIXELS = 24
QUICK = TransferProtocol(
    epochs=3,
    batch_size=4,
    learning_rate=0.05,
    weight_decay=1e-4,
    decay_epochs=0.7,
    clip_norm=10.0,
    label_smoothing=0.1,
    auxiliary_weight=0.4,
    dropout=0.2,
    drop_path_keep=0.7,
    average_decay=0.9,
    brightness=0.1,
    saturation=0.5,
)


def tiny_job(
    data: Path, folder: Path, protocol: TransferProtocol = QUICK, seed: int = 3, workers: int = 0
) -> TransferJob:
    return TransferJob("tiny", "", PAIR, "nasnet", Size(1, 32, 8), PIXELS, str(data), protocol, seed, workers, folder)


def gradients(share: Share, folder: Path) -> None:
    """Save the gradients of one fixed global batch of 8, of which each process sees its part; BatchNorm does not look at the batch."""
    torch.manual_seed(0)
    scale = Scale(1, 8, PIXELS, 3, 5, "imagenet")
    network = build_cell_network(PAIR, scale, Regularization(auxiliary=True))
    heads = shared_heads(network, share, PIXELS)
    heads.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    images, labels = torch.randn(8, 3, PIXELS, PIXELS), torch.arange(8) % 5
    part = 8 // share.processes
    mine = slice(share.process * part, (share.process + 1) * part)
    protocol = QUICK.model_copy(update={"average_decay": 0.0})
    batch_losses(heads, images[mine], labels[mine], protocol)[2].backward()
    if share.process == share.processes - 1:
        found = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
        torch.save(found, folder / f"gradients-{share.processes}.pt")
