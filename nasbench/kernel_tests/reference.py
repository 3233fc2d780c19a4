"""Layers by their definition in float64, as sums over the weights of a filter, without torch's kernels for them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nasbench.kernel_tests.cases import Case
from nasbench.networks.convolutions import same_padding

EPSILON = 1e-5  # of BatchNorm


def expected_output(case: Case, images: Tensor, weights: list[Tensor]) -> Tensor:
    """Compute the output of a case by its definition; the result is differentiable.

    Args:
        case: the layer and its shape.
        images: float64 [batch, inputs, height, width]; [batch, inputs] for "linear".
        weights: float64, the layer's parameters in their order.

    Returns:
        float64 [batch, outputs, output height, output width]; [batch, outputs] for "linear" and "classifier".
    """
    if case.layer in ("linear", "classifier"):
        features = images if case.layer == "linear" else images.sum((2, 3)) / (case.height * case.width)
        return features @ weights[0].T + weights[1]
    if case.layer == "batch_norm":
        centred = images - images.mean((0, 2, 3), keepdim=True)
        normed = centred / (centred.square().mean((0, 2, 3), keepdim=True) + EPSILON).sqrt()
        return normed * weights[0].reshape(-1, 1, 1) + weights[1].reshape(-1, 1, 1)
    if case.layer in ("reduction", "slot_reduction"):
        return _reduction(case, images, weights)
    if "pool" in case.layer:
        return _pool(case, images)
    padded = F.pad(images, _padding(case))
    weight = torch.cat(weights, 1) if case.layer == "slot_conv" else weights[0]
    output: Tensor = _Convolution.apply(padded, weight, case.stride, case.dilation, case.groups)
    return output + weights[1].reshape(-1, 1, 1) if case.layer == "biased_conv" else output


def _padding(case: Case) -> tuple[int, int, int, int]:
    """Return the padding on the left, right, top and bottom."""
    if case.layer in ("same_conv", "max_pool", "avg_pool"):
        rows = same_padding(case.height, case.kernel[0], case.stride[0], case.dilation)
        columns = same_padding(case.width, case.kernel[1], case.stride[1], case.dilation)
        return (*columns, *rows)
    if case.layer in ("stage_pool", "halving_avg_pool"):  # sizes are rounded up: the last window may be incomplete
        return 0, case.width % 2, 0, case.height % 2
    if case.layer.startswith("padded_"):
        around = case.kernel[0] // 2 * case.dilation
    else:
        around = min(2, case.kernel[0] // 2) if case.layer == "biased_conv" else 0
    return around, around, around, around


def _reduction(case: Case, images: Tensor, weights: list[Tensor]) -> Tensor:
    """Concatenate two 1x1 convolutions with stride 2; the second reads the pixels one further down and right.

    Pixels outside of the image are 0. In super-networks ("slot_reduction"), a ReLU is applied first.
    """
    if case.layer == "slot_reduction":
        images = images.clamp(min=0.0)
    shifted = F.pad(images, (0, 1, 0, 1))[:, :, 1::2, 1::2]
    straight = images[:, :, ::2, ::2]
    shifted = shifted[:, :, : straight.shape[2], : straight.shape[3]]
    slots = 2 if case.layer == "slot_reduction" else 1
    mixed = [
        torch.einsum("oi,nihw->nohw", torch.cat(part, 1)[:, :, 0, 0], pixels)
        for part, pixels in zip((weights[:-slots], weights[-slots:]), (straight, shifted))
        if part
    ]
    return torch.cat(mixed, 1)


def _pool(case: Case, images: Tensor) -> Tensor:
    """Return the maximum of each window, or the mean of its pixels inside of the image."""
    maximum = case.layer in ("max_pool", "padded_max_pool", "stage_pool", "inner_max_pool")
    padded = F.pad(images, _padding(case), value=-math.inf if maximum else 0.0)
    taps = torch.stack([padded[window] for _, _, window in _windows(padded, case.kernel, case.stride, 1)])
    if maximum:
        return taps.max(0).values
    inside = F.pad(torch.ones_like(images[:1, :1]), _padding(case))
    count = sum(inside[window] for _, _, window in _windows(padded, case.kernel, case.stride, 1))
    return taps.sum(0) / count


def _windows(
    padded: Tensor, kernel: tuple[int, int], stride: tuple[int, int], dilation: int
) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
    """Yield row and column of each weight of a filter, and the pixels that it reads as an index of the padded map."""
    height, width = (
        (size - (taps - 1) * dilation - 1) // step + 1 for size, taps, step in zip(padded.shape[2:], kernel, stride)
    )
    for row, column in itertools.product(range(kernel[0]), range(kernel[1])):
        top, left = row * dilation, column * dilation
        rows = slice(top, top + (height - 1) * stride[0] + 1, stride[0])
        columns = slice(left, left + (width - 1) * stride[1] + 1, stride[1])
        yield row, column, (slice(None), slice(None), rows, columns)


class _Convolution(torch.autograd.Function):
    """Convolution of a padded map, and its gradients, as one matrix product per row and column of the filter."""

    @staticmethod
    def forward(
        ctx: Any, padded: Tensor, weight: Tensor, stride: tuple[int, int], dilation: int, groups: int
    ) -> Tensor:
        ctx.save_for_backward(padded, weight)
        ctx.settings = stride, dilation, groups
        output: Tensor | None = None
        for row, column, window in _windows(padded, (weight.shape[2], weight.shape[3]), stride, dilation):
            part = _mix(padded[window], weight[:, :, row, column], groups)
            output = part if output is None else output + part
        assert output is not None
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        padded, weight = ctx.saved_tensors
        stride, dilation, groups = ctx.settings
        of_padded, of_weight = torch.zeros_like(padded), torch.zeros_like(weight)
        for row, column, window in _windows(padded, (weight.shape[2], weight.shape[3]), stride, dilation):
            tap = weight[:, :, row, column]
            back = tap.reshape(groups, -1, tap.shape[1]).transpose(1, 2).reshape(padded.shape[1], -1)
            of_padded[window] += _mix(gradient, back, groups)
            of_weight[:, :, row, column] = _product(gradient, padded[window], groups)
        return of_padded, of_weight, None, None, None


def _grouped(maps: Tensor, groups: int) -> Tensor:
    """Reshape [batch, channels, height, width] to [groups, channels per group, batch x height x width]."""
    return maps.transpose(0, 1).reshape(groups, maps.shape[1] // groups, -1)


def _mix(maps: Tensor, tap: Tensor, groups: int) -> Tensor:
    """Multiply each pixel's channels by a matrix [outputs, inputs per group], group by group."""
    batch, _, height, width = maps.shape
    mixed = tap.reshape(groups, -1, tap.shape[1]) @ _grouped(maps, groups)
    return mixed.reshape(-1, batch, height, width).transpose(0, 1)


def _product(gradient: Tensor, maps: Tensor, groups: int) -> Tensor:
    """Return the sums over batch and pixels of gradient times input, [outputs, inputs per group]."""
    return (_grouped(gradient, groups) @ _grouped(maps, groups).transpose(1, 2)).reshape(gradient.shape[1], -1)
