"""Parameters and multiply-adds of 2016 NAS networks in closed form. No torch."""

from __future__ import annotations

from nasbench.networks.counting import convolution_bn, linear, require_cifar_stem, strided, total
from nasbench.networks.layer_wiring import live_layers, sources
from nasbench.structures import Counts, LayerStack, Scale


def count_layer_stack(stack: LayerStack, scale: Scale) -> Counts:
    """Count the network that `layers.build_layer_stack` would build, without building it.

    Args:
        stack: the layers; wiring is trusted here and checked by the builder.
        scale: image size, channels and classes; cells and filters are the stack's own.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        InputError: when the scale asks for the ImageNet stem.
    """
    require_cifar_stem(scale, "layer")
    live = live_layers(stack)
    heights, widths = [scale.image_size], [scale.image_size]
    channels, stages = [scale.image_channels], [0]
    parts: list[Counts] = []
    for index, layer in enumerate(stack.layers, 1):
        inputs = sources(layer) if index in live else ()
        height = max((pooled(heights[i], layer.stage - stages[i]) for i in inputs), default=0)
        width = max((pooled(widths[i], layer.stage - stages[i]) for i in inputs), default=0)
        after = strided(height, layer.stride_height), strided(width, layer.stride_width)
        read = sum(channels[i] for i in inputs)
        if inputs:
            kernel = (layer.height, layer.width)
            for _ in range(stack.convs_per_layer - 1):
                parts.append(convolution_bn(read, layer.filters, kernel, height * width))
                read += layer.filters
            parts.append(convolution_bn(read, layer.filters, kernel, after[0] * after[1]))
        heights.append(after[0])
        widths.append(after[1])
        channels.append(layer.filters)
        stages.append(layer.stage)
    parts.append(linear(sum(channels[i] for i in stack.out), scale.classes))
    return total(parts)


def pooled(size: int, times: int) -> int:
    """Height or width after so many 2x2 pools of stride 2, each rounding up."""
    for _ in range(times):
        size = strided(size, 2)
    return size
