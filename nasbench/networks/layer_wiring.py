"""Which layers of a 2016 NAS network reach its classifier, what they read, and checks of stacks. No torch."""

from __future__ import annotations

from nasbench.errors import InputError
from nasbench.structures import Layer, LayerStack


def sources(layer: Layer) -> tuple[int, ...]:
    """List the layers that a layer reads.

    Args:
        layer: the layer.

    Returns:
        Numbers of the layers; (0,), the image, if it has no inputs.
    """
    return layer.inputs or (0,)


def live_layers(stack: LayerStack) -> frozenset[int]:
    """Return the layers on which the classifier depends.

    Args:
        stack: layers in topological order.

    Returns:
        Numbers of the layers, from 1.
    """
    live = set(stack.out)
    for index in range(len(stack.layers), 0, -1):
        if index in live:
            live.update(stack.layers[index - 1].inputs)
    return frozenset(live - {0})


def check_stack(stack: LayerStack) -> None:
    """Check that a network can be built of a stack.

    Args:
        stack: the layers.

    Raises:
        InputError: when a layer reads one that does not come before it or that has a later stage; when a filter size, a
            stride, a number of filters or `convs_per_layer` is below 1; or when the classifier reads nothing or a layer
            that does not exist.
    """
    if stack.convs_per_layer < 1:
        raise InputError(f"convolutions per layer must be at least 1, got {stack.convs_per_layer}")
    stages = [0, *(layer.stage for layer in stack.layers)]
    for index, layer in enumerate(stack.layers, 1):
        if min(layer.height, layer.width, layer.filters, layer.stride_height, layer.stride_width) < 1:
            raise InputError(f"layer {index}: filter sizes, filters and strides must be at least 1, got {layer}")
        for source in sources(layer):
            if not 0 <= source < index:
                raise InputError(f"layer {index} reads layer {source}; allowed: 0 (the image) to {index - 1}")
            if stages[source] > layer.stage:
                raise InputError(
                    f"layer {index} of stage {layer.stage} reads layer {source} of the later stage {stages[source]}"
                )
    if not stack.out:
        raise InputError("the classifier reads no layer; list at least one in `out`")
    for source in stack.out:
        if not 1 <= source <= len(stack.layers):
            raise InputError(f"the classifier reads layer {source}; allowed: 1 to {len(stack.layers)}")
