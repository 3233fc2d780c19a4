"""The networks of the first neural architecture search: convolution layers with skip inputs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.networks.base import Network
from nasbench.networks.convolutions import Classifier, convolution_bn
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.layer_wiring import check_stack, live_layers, sources
from nasbench.structures import Layer, LayerStack, Regularization, Scale


def build_layer_stack(stack: LayerStack, scale: Scale, regularization: Regularization | None = None) -> Network:
    """Build the classifier that a stack of layers describes.

    Args:
        stack: the layers. Those that the classifier does not depend on are not built.
        scale: image size, channels and classes; cells and filters are the stack's own.
        regularization: only dropout applies; this skeleton has no paths to drop and no place for an auxiliary head.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the stack's wiring is impossible, or the scale asks for the ImageNet stem.

    Source: Zoph and Le, arXiv 1611.01578, section 3 and appendix A: inputs are concatenated in depth, smaller ones padded with
    zeros, and outputs that no layer reads go to the classifier.
    Deviation: the paper leaves open where the zeros go (here below and to the right), how an input crosses a pooling layer (here a
    2x2 max pool of stride 2, rounding up, once for every pooling layer between), and what a "fully connected block" of convolutions
    is: here each reads the layer's inputs and all earlier convolutions of the block, and the last one, which alone has the stride,
    is the layer's output. The classifier reads at the latest stage among its inputs, so that its earlier inputs are pooled too.
    Convolutions start from normal weights of variance 2 / fan-out; the paper does not say.
    """
    require_cifar_stem(scale, "layer")
    check_stack(stack)
    return LayerStackNetwork(stack, scale, regularization or Regularization())


class LayerStackNetwork(Network):
    """The live layers of a stack, global average pooling, and a fully connected classifier."""

    def __init__(self, stack: LayerStack, scale: Scale, regularization: Regularization) -> None:
        super().__init__()
        self.stack = stack
        live = live_layers(stack)
        channels = [scale.image_channels, *(layer.filters for layer in stack.layers)]
        self.layers = nn.ModuleDict(
            {
                str(index): ConvolutionBlock(sum(channels[i] for i in sources(layer)), layer, stack.convs_per_layer)
                for index, layer in enumerate(stack.layers, 1)
                if index in live
            }
        )
        self.stages = [0, *(layer.stage for layer in stack.layers)]
        self.classifier = Classifier(sum(channels[i] for i in stack.out), scale.classes, regularization.dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [batch, channels, height, width] to logits [batch, classes]."""
        pooled = {(0, 0): images}  # (layer, stage) -> its output there

        def read(inputs: tuple[int, ...], stage: int) -> Tensor:
            for index in inputs:
                for later in range(self.stages[index] + 1, stage + 1):
                    if (index, later) not in pooled:
                        pooled[index, later] = F.max_pool2d(pooled[index, later - 1], 2, 2, ceil_mode=True)
            return concatenate([pooled[index, stage] for index in inputs])

        for index, layer in enumerate(self.stack.layers, 1):
            if str(index) in self.layers:
                pooled[index, layer.stage] = self.layers[str(index)](read(sources(layer), layer.stage))
        last = max(self.stages[index] for index in self.stack.out)
        logits: Tensor = self.classifier(read(self.stack.out, last))
        return logits


class ConvolutionBlock(nn.Module):
    """One layer: convolution, BatchNorm, ReLU; or several such, each reading the input and all before it.

    Args:
        inputs: channels of the layer's concatenated input.
        layer: filter size, stride and filters.
        convolutions: their number; only the last one has the stride.
    """

    def __init__(self, inputs: int, layer: Layer, convolutions: int) -> None:
        super().__init__()
        kernel, stride = (layer.height, layer.width), (layer.stride_height, layer.stride_width)
        self.convolutions = nn.ModuleList(
            nn.Sequential(
                *convolution_bn(
                    inputs + i * layer.filters, layer.filters, kernel, stride if i == convolutions - 1 else 1
                ),
                nn.ReLU(),
            )
            for i in range(convolutions)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map [batch, inputs, height, width] to [batch, filters, ceil(height / stride), ceil(width / stride)]."""
        *earlier, last = self.convolutions
        for convolution in earlier:
            images = torch.cat((images, convolution(images)), 1)
        output: Tensor = last(images)
        return output


def concatenate(maps: list[Tensor]) -> Tensor:
    """Concatenate [batch, ., ., .] maps in depth, padding smaller ones with zeros below and to the right."""
    if len(maps) == 1:
        return maps[0]
    height, width = max(item.shape[2] for item in maps), max(item.shape[3] for item in maps)
    fitting = [
        item
        if item.shape[2:] == (height, width)
        else F.pad(item, (0, width - item.shape[3], 0, height - item.shape[2]))
        for item in maps
    ]
    return torch.cat(fitting, 1)
