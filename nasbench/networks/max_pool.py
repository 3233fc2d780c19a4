"""Large max pools in two passes, along rows and then along columns, with bit for bit the same values and gradients."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

FROM_KERNEL = 5  # smallest side of the square for which two passes take less time than one
FROM_SIZE = 1 << 14  # smallest number of elements for which arithmetic, not the call itself, takes most of the time


def max_pool(images: Tensor, kernel: int, stride: int, padding: tuple[int, int]) -> Tensor:
    """Take the maximum of squares, like `F.max_pool2d` with `ceil_mode`, faster for large pools on the CPU.

    Large pools of images in channels_last take a half to a third of the time, because they are computed in two passes:
    the maximum of a square is the maximum of the maxima of its rows. Among equal values, one pass takes the first, row
    by row. Two passes take the same one: the leftmost in each row, then the topmost row. So gradients go to the same
    pixels, and are summed in the same order by the same kernel. The pass along columns treats all columns as channels
    of one column, which fills the processor's vectors even if there are few channels.

    Args:
        images: [batch, channels, height, width].
        kernel: height and width of the square.
        stride: stride of both axes.
        padding: at the top and at the left, at most half of `kernel`.

    Returns:
        [batch, channels, output height, output width], with sizes rounded up as by `ceil_mode`.

    Deviation: where two passes are used, gradients of gradients are not defined; nothing in the suite needs them.
    """
    if (
        kernel < FROM_KERNEL
        or torch.compiler.is_compiling()  # first, because an export would take the conditions below as limits
        or images.numel() < FROM_SIZE
        or min(images.shape[1:]) == 1  # the memory format would be ambiguous
        or images.device.type != "cpu"
        or not images.is_contiguous(memory_format=torch.channels_last)
    ):
        return F.max_pool2d(images, kernel, stride, padding, ceil_mode=True)
    if torch.is_grad_enabled() and images.requires_grad:
        pooled: Tensor = _TwoPasses.apply(images, kernel, stride, padding)
        return pooled
    rows = F.max_pool2d(images, (1, kernel), (1, stride), (0, padding[1]), ceil_mode=True)
    columns = F.max_pool2d(_as_one_column(rows), (kernel, 1), (stride, 1), (padding[0], 0), ceil_mode=True)
    return _as_columns(_packed(columns), rows)


class _TwoPasses(torch.autograd.Function):
    """Stores the position of each maximum, as torch's own pool does, and uses that pool's kernel backwards."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, kernel: int, stride: int, padding: tuple[int, int]) -> Tensor:
        rows, of_rows = F.max_pool2d(
            images, (1, kernel), (1, stride), (0, padding[1]), ceil_mode=True, return_indices=True
        )
        columns, of_columns = F.max_pool2d(
            _as_one_column(rows), (kernel, 1), (stride, 1), (padding[0], 0), ceil_mode=True, return_indices=True
        )
        winners = _packed(_as_one_column(of_rows)).gather(1, _packed(of_columns))
        ctx.save_for_backward(images, _as_columns(winners, rows))
        ctx.settings = [kernel, kernel], [stride, stride], list(padding), [1, 1], True
        return _as_columns(_packed(columns), rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, winners = ctx.saved_tensors
        back: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(gradient, images, *ctx.settings, winners)
        return back, None, None, None


def _as_one_column(rows: Tensor) -> Tensor:
    """View channels_last [batch, channels, height, width] as channels_last [batch, width x channels, height, 1]."""
    batch, channels, height, width = rows.shape
    wide = width * channels
    return rows.as_strided((batch, wide, height, 1), (height * wide, 1, wide, wide))


def _packed(column: Tensor) -> Tensor:
    """View channels_last [batch, width x channels, height, 1] as [batch, height, width x channels]."""
    return column.squeeze(3).permute(0, 2, 1)


def _as_columns(packed: Tensor, rows: Tensor) -> Tensor:
    """View [batch, height, width x channels] as channels_last [batch, channels, height, width], as `rows` has."""
    batch, height, _ = packed.shape
    channels, width = rows.shape[1], rows.shape[3]
    return packed.view(batch, height, width, channels).permute(0, 3, 1, 2)
