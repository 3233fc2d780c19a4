"""Parameters and multiply-adds of 2016 NAS networks in closed form. Counting takes microseconds. No torch."""

from __future__ import annotations

from nasbench.networks.counting import linear, require_cifar_stem, strided
from nasbench.networks.layer_wiring import live_layers, sources
from nasbench.structures import Counts, LayerStack, Scale


def count_layer_stack(stack: LayerStack, scale: Scale) -> Counts:
    """Count the network that `layers.build_layer_stack` builds.

    Args:
        stack: the layers. Their wiring is not checked here; `build_layer_stack` checks it.
        scale: image size, image channels and classes. Its cells and filters are not used.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.
    """
    require_cifar_stem(scale, "layer")
    live = live_layers(stack)
    maps = [(scale.image_channels, scale.image_size, scale.image_size, 0)]  # channels, height, width, stage
    params = mult_adds = 0
    for index, layer in enumerate(stack.layers, 1):
        filters, stage = layer.filters, layer.stage
        if index not in live:
            maps.append((filters, 0, 0, stage))
            continue
        read = height = width = 0
        for source in sources(layer):
            channels, source_height, source_width, source_stage = maps[source]
            if source_stage < stage:
                source_height = pooled(source_height, stage - source_stage)
                source_width = pooled(source_width, stage - source_stage)
            read += channels
            height = source_height if source_height > height else height  # faster than max()
            width = source_width if source_width > width else width
        area = layer.height * layer.width * filters
        for _ in range(stack.convs_per_layer - 1):
            params += read * area + 2 * filters
            mult_adds += read * area * height * width
            read += filters
        if layer.stride_height > 1 or layer.stride_width > 1:
            height, width = strided(height, layer.stride_height), strided(width, layer.stride_width)
        params += read * area + 2 * filters
        mult_adds += read * area * height * width
        maps.append((filters, height, width, stage))
    classifier = linear(sum(maps[index][0] for index in stack.out), scale.classes)
    return Counts(params + classifier.params, mult_adds + classifier.mult_adds)


def pooled(size: int, times: int) -> int:
    """Compute the height or width after several 2x2 pools of stride 2, each of which rounds up.

    Args:
        size: height or width before them.
        times: number of pools, >= 0.

    Returns:
        Height or width after the pools.
    """
    return strided(size, 2**times)
