"""Convolutions and pools with TensorFlow's SAME padding, and modules that consist of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.networks.dropout import Dropout
from nasbench.networks.max_pool import max_pool


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Return how many zeros SAME padding puts before and after one axis.

    Args:
        size: length of the axis, >= 1.
        kernel: length of the filter along it.
        stride: stride along it.
        dilation: distance between neighbouring taps of the filter.

    Returns:
        Zeros before and zeros after, such that the output has ceil(size / stride) positions. If their number is odd,
        there is one more after than before.

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
    """Convolve without bias, like `F.conv2d`. Every convolution without bias in the suite is this call.

    Torch's kernels for convolutions that crash or compute wrong values are avoided here. `make test-kernels` searches
    for such kernels.

    Args:
        images: [batch, inputs, height, width].
        weight: [outputs, inputs / groups, kernel height, kernel width].
        stride: vertical and horizontal stride.
        padding: number of zeros above and below, and number of zeros to the left and to the right.
        dilation: vertical and horizontal distance between neighbouring taps of the filter.
        groups: number of groups of channels.

    Returns:
        [batch, outputs, output height, output width].
    """
    kernel = weight.shape[2:]
    if tuple(kernel) == (1, 1) and stride != (1, 1):
        # The output depends only on every stride-th pixel. oneDNN 3.12 (torch 2.14.1) picks these pixels in the kernel.
        # In the backward pass it writes past the end of a buffer if images in channels_last have fewer channels than a
        # vector has numbers (AVX2: below 8; AVX-512: below 16, seen in maps of 64x64): the process crashes, or other
        # tensors change. A pool of one pixel picks the same pixels, is exact, and keeps the memory format in both
        # passes.
        images = F.avg_pool2d(_padded(images, padding), 1, stride)
        padding, stride = (0, 0), (1, 1)
    reach = (kernel[1] - 1) * dilation[1] + 1
    if stride[1] > 1 and images.shape[3] + 2 * padding[1] - reach < stride[1]:
        # There is one output column, so the horizontal stride is never used and is left out. With it, oneDNN 3.12
        # (torch 2.14.1) with AVX-512 reads uninitialized memory: in float32 in the forward pass, for one channel and
        # stride (1, 2); in bfloat16 in the weight's gradient, for maps of one column and stride 2 or 3. Values are then
        # wrong, and differ from call to call.
        images = _padded(images, padding)[..., :reach]
        padding, stride = (0, 0), (stride[0], 1)
    if dilation != (1, 1) and _is_bfloat16_on_cpu(images):
        # oneDNN 3.12 (torch 2.14.1) with AVX-512's bfloat16 instructions reads uninitialized memory when it sums the
        # weight's gradient of a dilated convolution over maps of about 28 columns or more: the gradient is infinite,
        # NaN, or wrong by its own size. In float32 it is right.
        with torch.autocast("cpu", enabled=False):
            exact = F.conv2d(images.float(), weight.float(), None, stride, padding, dilation, groups)
        return exact.to(torch.bfloat16)
    return F.conv2d(images, weight, None, stride, padding, dilation, groups)


def _is_bfloat16_on_cpu(images: Tensor) -> bool:
    """Return True if a convolution of these images runs in bfloat16 on the CPU, by their dtype or by autocast."""
    return images.device.type == "cpu" and (images.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu"))


def _padded(images: Tensor, padding: tuple[int, int]) -> Tensor:
    """Pad with zeros on both sides of both axes. `F.pad` would copy the images even if there are none to add."""
    rows, columns = padding
    return F.pad(images, (columns, columns, rows, rows)) if rows or columns else images


class ValidConv2d(nn.Conv2d):
    """A convolution without bias and without padding.

    Initial weights are normal with variance 2 / fan-out, where fan-out = kernel area x outputs / groups (He et al.,
    arXiv 1502.01852).

    Args:
        inputs: input channels.
        outputs: output channels.
        kernel: height and width of the filter, or one number for both.
        stride: vertical and horizontal stride, or one number for both.
        dilation: distance between neighbouring taps of the filter.
        groups: number of groups of channels.

    Source: NASNet's released code scales the variance by fan-out. Deviation: the normal distribution there is
    truncated.
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
        """Convolve without padding.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, outputs, output height, output width].
        """
        return self._convolve(images, (0, 0))

    def _convolve(self, images: Tensor, padding: tuple[int, int]) -> Tensor:
        (down, right), (row_gap, column_gap) = self.stride, self.dilation
        return convolve(images, self.weight, (down, right), padding, (row_gap, column_gap), self.groups)


class SameConv2d(ValidConv2d):
    """A convolution without bias, with SAME padding; arguments and initial weights are those of `ValidConv2d`."""

    def forward(self, images: Tensor) -> Tensor:
        """Convolve with TensorFlow's SAME padding.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, outputs, ceil(height / stride), ceil(width / stride)].
        """
        top, bottom = same_padding(images.shape[2], self.kernel_size[0], self.stride[0], self.dilation[0])
        left, right = same_padding(images.shape[3], self.kernel_size[1], self.stride[1], self.dilation[1])
        if top != bottom or left != right:
            images = F.pad(images, (left, right, top, bottom))
            top = left = 0
        return self._convolve(images, (top, left))


class PaddedConv2d(ValidConv2d):
    """A convolution without bias that pads equally on opposite sides, as torch's `padding` does.

    It pads kernel // 2 zeros, times the dilation, on every side.

    Arguments and initial weights are those of `ValidConv2d`; the kernel's height and width are odd.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Convolve with equal padding on opposite sides.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, outputs, ceil(height / stride), ceil(width / stride)].
        """
        rows, columns = (size // 2 * gap for size, gap in zip(self.kernel_size, self.dilation))
        output: Tensor = super().forward(F.pad(images, (columns, columns, rows, rows)))
        return output


class SameMaxPool2d(nn.Module):
    """A square max pool with SAME padding. The maximum is over pixels of the image only, not over the padding.

    Args:
        kernel: height and width of the square.
        stride: stride of both axes.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, images: Tensor) -> Tensor:
        """Take maxima with TensorFlow's SAME padding.

        Args:
            images: [batch, channels, height, width].

        Returns:
            [batch, channels, ceil(height / stride), ceil(width / stride)].
        """
        padding = pool_padding(images, self.kernel, self.stride)
        return max_pool(images, self.kernel, self.stride, padding)


class SameAvgPool2d(nn.Module):
    """A square average pool with SAME padding. The average is over pixels of the image only, as in TensorFlow.

    Args:
        kernel: height and width of the square.
        stride: stride of both axes.
    """

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, images: Tensor) -> Tensor:
        """Take means with TensorFlow's SAME padding; padded values are not counted.

        Args:
            images: [batch, channels, height, width].

        Returns:
            [batch, channels, ceil(height / stride), ceil(width / stride)].
        """
        padding = pool_padding(images, self.kernel, self.stride)
        return F.avg_pool2d(images, self.kernel, self.stride, padding, ceil_mode=True, count_include_pad=False)


def pool_padding(images: Tensor, kernel: int, stride: int) -> tuple[int, int]:
    """Compute the SAME padding of a pool, above and to the left.

    It is for pools that round their output size up, which adds the padding below and to the right.

    Args:
        images: [batch, channels, height, width].
        kernel: height and width of the pool.
        stride: stride of both axes.

    Returns:
        Rows above and columns to the left.
    """
    height, width = images.shape[2:]
    return same_padding(height, kernel, stride)[0], same_padding(width, kernel, stride)[0]


def add_up(maps: Sequence[Tensor]) -> Tensor:
    """Add feature maps from the first to the last. The order is fixed, and so are the bits of the sum.

    Args:
        maps: one or more tensors of one shape.

    Returns:
        A tensor of the same shape.
    """
    result = maps[0]
    for item in maps[1:]:
        result = result + item
    return result


def convolution_bn(
    inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int | tuple[int, int] = 1
) -> tuple[nn.Module, nn.Module]:
    """Make a convolution with SAME padding and the BatchNorm after it, to be put in an `nn.Sequential`.

    Args:
        inputs: input channels.
        outputs: output channels.
        kernel: height and width of the filter, or one number for both.
        stride: vertical and horizontal stride, or one number for both.

    Returns:
        The two modules. They map [batch, inputs, height, width] to [batch, outputs, ceil(height / stride),
        ceil(width / stride)].
    """
    return SameConv2d(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs)


class FactorizedReduction(nn.Module):
    """Halves height and width: two 1x1 convolutions of stride 2 on different pixels, concatenated, then BatchNorm.

    The second convolution reads the image shifted by one pixel up and left, with zeros at its end, so it sees other
    pixels than the first one.

    Args:
        inputs: input channels.
        outputs: output channels, >= 1; half of them (rounded down) come from the convolution of the image as it is.

    Source: NASNet's released code.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.straight = SameConv2d(inputs, outputs // 2, 1, 2) if outputs > 1 else None
        self.shifted = SameConv2d(inputs, outputs - outputs // 2, 1, 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Halve height and width by 1x1 convolutions of stride 2, the second one shifted by a pixel.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, outputs, ceil(height / 2), ceil(width / 2)].
        """
        reduced: Tensor = self.shifted(F.pad(images, (-1, 1, -1, 1)))
        if self.straight is not None:
            reduced = torch.cat((self.straight(images), reduced), 1)
        normed: Tensor = self.norm(reduced)
        return normed


class Classifier(nn.Module):
    """Global average pooling, dropout and a fully connected layer.

    Initial weights are normal with standard deviation 0.01, and the bias is 0, so every class starts about equally
    likely.

    Args:
        inputs: input channels.
        classes: number of classes.
        dropout: probability in [0, 1) of zeroing a channel's mean in training.
    """

    def __init__(self, inputs: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.linear = nn.Linear(inputs, classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images by the means of their feature maps over all positions.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            Logits, [batch, classes].
        """
        logits: Tensor = self.linear(self.dropout(images.mean((2, 3))))
        return logits
