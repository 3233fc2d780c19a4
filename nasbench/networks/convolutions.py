"""Convolutions and pools with TensorFlow's SAME padding, and what is built from them alone."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.networks.dropout import Dropout
from nasbench.networks.max_pool import max_pool


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis under SAME padding: the output has ceil(size / stride) places, the odd zero comes last.

    Source: TensorFlow's documentation of `tf.nn.convolution`.
    """
    reach = (kernel - 1) * dilation + 1
    zeros = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return zeros // 2, zeros - zeros // 2


def convolve(
    images: Tensor,
    weight: Tensor,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Tensor:
    """Convolve without bias, as `F.conv2d`; every convolution of the suite without bias is this call.

    It is the one place for ways round kernels of torch that crash or compute wrong values. `make test-kernels` looks
    for such.

    Args:
        images: [batch, inputs, height, width].
        weight: [outputs, inputs / groups, kernel height, kernel width].
        stride: vertical and horizontal stride.
        padding: zeros above and below, and zeros to the left and to the right.
        dilation: spacing of the filter's taps.
        groups: groups of channels.

    Returns:
        [batch, outputs, output height, output width].
    """
    kernel = weight.shape[2:]
    if tuple(kernel) == (1, 1) and stride != (1, 1):
        # The output depends on every stride-th pixel alone. oneDNN 3.12 (torch 2.14.1) takes these pixels in the kernel,
        # and writes past the end of a buffer in the backward pass, where images in channels_last have fewer channels
        # than a vector has numbers (AVX2: below 8; AVX-512: below 16, seen in maps of 64x64): the process crashes, or
        # other tensors change. A pool of one pixel picks the same pixels, keeps the memory format both ways, and is
        # exact.
        images = F.avg_pool2d(_padded(images, padding), 1, stride)
        padding, stride = (0, 0), (1, 1)
    reach = (kernel[1] - 1) * dilation[1] + 1
    if stride[1] > 1 and images.shape[3] + 2 * padding[1] - reach < stride[1]:
        # One output column: the horizontal stride is never used, so it is left out. oneDNN 3.12 (torch 2.14.1) with
        # AVX-512 reads memory that nobody wrote where it strides into one column: in float32 one channel with stride
        # (1, 2), forward; in bfloat16 any channels of maps of one column with stride 2 or 3, in the weight's gradient.
        # Values are wrong, other ones from call to call.
        images = _padded(images, padding)[..., :reach]
        padding, stride = (0, 0), (stride[0], 1)
    if dilation != (1, 1) and _is_bfloat16_on_cpu(images):
        # oneDNN 3.12 (torch 2.14.1) with AVX-512's bfloat16 instructions reads memory that nobody wrote where it
        # sums the weight's gradient of a dilated convolution over maps of some 28 columns and more: it is infinite, not
        # a number, or off by its own size. In float32 it is right.
        with torch.autocast("cpu", enabled=False):
            exact = F.conv2d(images.float(), weight.float(), None, stride, padding, dilation, groups)
        return exact.to(torch.bfloat16)
    return F.conv2d(images, weight, None, stride, padding, dilation, groups)


def _is_bfloat16_on_cpu(images: Tensor) -> bool:
    """True if a convolution of these images runs in bfloat16 on the CPU, by their dtype or by autocast."""
    return images.device.type == "cpu" and (images.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu"))


def _padded(images: Tensor, padding: tuple[int, int]) -> Tensor:
    """With zeros above and below, and to the left and the right; `F.pad` would copy also where there are none to add."""
    rows, columns = padding
    return F.pad(images, (columns, columns, rows, rows)) if rows or columns else images


class ValidConv2d(nn.Conv2d):
    """A convolution without bias and without padding.

    Args:
        inputs: input channels.
        outputs: output channels.
        kernel: height and width of the filter, or one number for both.
        stride: vertical and horizontal stride, or one number for both.
        dilation: spacing of the filter's taps.
        groups: groups of channels.

    Initial weights are normal with variance 2 / fan-out, fan-out = kernel area x outputs / groups (He et al., arXiv 1502.01852).
    Source: NASNet's released code sets variance scaling by fan-out. Deviation: the normal there is truncated.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, dilation=dilation, groups=groups, bias=False)

    def reset_parameters(self) -> None:
        """Draw the initial weights from torch's global generator."""
        fan_out = self.out_channels // self.groups * math.prod(self.kernel_size)
        nn.init.normal_(self.weight, std=math.sqrt(2 / fan_out))

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, inputs, height, width] to [batch, outputs, output height, output width]."""
        return self._convolve(images, (0, 0))

    def _convolve(self, images: Tensor, padding: tuple[int, int]) -> Tensor:
        (down, right), (row_gap, column_gap) = self.stride, self.dilation
        return convolve(images, self.weight, (down, right), padding, (row_gap, column_gap), self.groups)


class SameConv2d(ValidConv2d):
    """A convolution without bias under SAME padding; arguments and initial weights as for `ValidConv2d`."""

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, inputs, height, width] to [batch, outputs, ceil(height / stride), ceil(width / stride)]."""
        top, bottom = same_padding(images.shape[2], self.kernel_size[0], self.stride[0], self.dilation[0])
        left, right = same_padding(images.shape[3], self.kernel_size[1], self.stride[1], self.dilation[1])
        if top != bottom or left != right:
            images = F.pad(images, (left, right, top, bottom))
            top = left = 0
        return self._convolve(images, (top, left))


class SameMaxPool2d(nn.Module):
    """A square max pool under SAME padding; zeros outside never win."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, channels, height, width] to the strided size, rounded up."""
        padding = pool_padding(images, self.kernel, self.stride)
        return max_pool(images, self.kernel, self.stride, padding)


class SameAvgPool2d(nn.Module):
    """A square average pool under SAME padding; only places inside the image are averaged, as in TensorFlow."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, channels, height, width] to the strided size, rounded up."""
        padding = pool_padding(images, self.kernel, self.stride)
        return F.avg_pool2d(images, self.kernel, self.stride, padding, ceil_mode=True, count_include_pad=False)


def pool_padding(images: Tensor, kernel: int, stride: int) -> tuple[int, int]:
    """The leading SAME padding of both axes; rounding the output size up supplies the trailing part."""
    height, width = images.shape[2:]
    return same_padding(height, kernel, stride)[0], same_padding(width, kernel, stride)[0]


def convolution_bn(
    inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int | tuple[int, int] = 1
) -> tuple[nn.Module, nn.Module]:
    """A SAME convolution without bias and the BatchNorm after it, to be put in a sequence."""
    return SameConv2d(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs)


class FactorizedReduction(nn.Module):
    """Halves height and width without losing every other pixel: two shifted stride-2 samplings, 1x1 each, concatenated, BatchNorm.

    Args:
        inputs: input channels.
        outputs: output channels; half of them (rounded down) come from the unshifted path.

    Source: NASNet's released code. The second path is shifted by one pixel each way and padded with zeros.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.straight = SameConv2d(inputs, outputs // 2, 1, 2) if outputs > 1 else None
        self.shifted = SameConv2d(inputs, outputs - outputs // 2, 1, 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, inputs, height, width] to [batch, outputs, ceil(height / 2), ceil(width / 2)]."""
        reduced: Tensor = self.shifted(F.pad(images, (-1, 1, -1, 1)))
        if self.straight is not None:
            reduced = torch.cat((self.straight(images), reduced), 1)
        normed: Tensor = self.norm(reduced)
        return normed


class Classifier(nn.Module):
    """Global average pooling, dropout and a fully connected layer.

    Args:
        inputs: channels.
        classes: outputs.
        dropout: probability in [0, 1) of zeroing a channel's mean in training.

    Initial weights are normal with standard deviation 0.01, the bias is 0: every class starts about equally likely.
    """

    def __init__(self, inputs: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(inputs, classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, inputs, height, width] to logits [batch, classes]."""
        logits: Tensor = self.linear(self.dropout(images.mean((2, 3))))
        return logits
