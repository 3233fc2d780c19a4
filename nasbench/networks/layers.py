"""Networks of Zoph & Le 2016: convolution layers with skip connections."""

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
        scale: image size, channels and classes. Its cells and filters are not used, as the stack decides them.
        regularization: only dropout is used; these networks have no drop-path and no auxiliary head. None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the stack's wiring is impossible, or the scale has an ImageNet stem or sets `stem_filters`.

    Source: Zoph and Le, arXiv 1611.01578, section 3 and appendix A: inputs are concatenated in depth, smaller ones
    padded with zeros, and outputs that no layer reads go to the classifier.
    Deviation: the paper leaves four things open. Zeros are padded below and to the right. An input from before a
    pooling is pooled too: 2x2 max pool, stride 2, size rounded up, once per pooling in between; the classifier's inputs
    are pooled to the latest stage among them. In a "fully connected block" of convolutions, each reads the layer's
    inputs and all earlier convolutions of the block; the last one, which alone has the stride, is the layer's output.
    Convolutions start from normal weights of variance 2 / fan-out.
    """
    require_cifar_stem(scale, "layer")
    check_stack(stack)
    return LayerStackNetwork(stack, scale, regularization or Regularization())


class LayerStackNetwork(Network):
    """The layers of a stack that reach the classifier, global average pooling, and a fully connected layer.

    Args:
        stack: as for `build_layer_stack`, with possible wiring.
        scale: image channels and classes.
        regularization: only dropout is used.
    """

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
        """Classify images; see `Network`."""
        pooled = {(0, 0): images}  # (layer, stage) -> the layer's output, pooled to that stage

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
    """One layer: convolution, BatchNorm, ReLU; or several of these, each reading the layer's input and all before it.

    Args:
        inputs: channels of the layer's concatenated input.
        layer: filter size, stride and filters.
        convolutions: number of convolutions, >= 1; only the last one has the stride.
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
        """Apply the convolutions; each reads the input and the outputs of the earlier ones.

        Args:
            images: [batch, inputs, height, width].

        Returns:
            [batch, filters, ceil(height / stride), ceil(width / stride)].
        """
        *earlier, last = self.convolutions
        for convolution in earlier:
            images = torch.cat((images, convolution(images)), 1)
        output: Tensor = last(images)
        return output


def concatenate(maps: list[Tensor]) -> Tensor:
    """Concatenate maps along channels; smaller maps are padded with zeros below and to the right.

    Args:
        maps: one or more, [batch, channels, height, width], of any heights and widths.

    Returns:
        [batch, sum of channels, largest height, largest width].
    """
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
