"""Parameters and multiply-adds of ENAS macro networks in closed form. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial

from nasbench.errors import InputError, UnknownName
from nasbench.networks.counting import ZERO, convolution, convolution_bn, linear, require_cifar_stem, strided, total
from nasbench.networks.operation_counts import OperationCount, count_factorized_reduction
from nasbench.structures import Counts, MacroStack, Scale


def _count_convolution(inputs: int, filters: int, size: int, stride: int, *, kernel: int) -> Counts:
    return convolution_bn(inputs, filters, (kernel, kernel), strided(size, stride) ** 2)


def _count_separable(inputs: int, filters: int, size: int, stride: int, *, kernel: int) -> Counts:
    positions = strided(size, stride) ** 2
    depthwise = convolution(inputs, inputs, (kernel, kernel), positions, inputs)
    return total((depthwise, convolution_bn(inputs, filters, (1, 1), positions)))


def _count_pool(inputs: int, filters: int, size: int, stride: int) -> Counts:
    return ZERO


MACRO_COUNTS: Mapping[str, OperationCount] = {
    "conv_3x3": partial(_count_convolution, kernel=3),
    "sep_conv_3x3": partial(_count_separable, kernel=3),
    "conv_5x5": partial(_count_convolution, kernel=5),
    "sep_conv_5x5": partial(_count_separable, kernel=5),
    "avg_pool_3x3": _count_pool,
    "max_pool_3x3": _count_pool,
}
"""Counts of the operations, without the 1x1 convolution before them; in the order of the released code's choices."""


def count_macro_network(stack: MacroStack, scale: Scale) -> Counts:
    """Count the network that `macro.build_macro_network` builds.

    Args:
        stack: one or more layers. Their wiring is not checked here; `build_macro_network` checks it.
        scale: F (`filters`, doubled at each reduction), image and classes. Its `cells` are not used.

    Returns:
        Trainable parameters, and multiply-adds of convolutions and the classifier for one image.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.
        UnknownName: when an operation has an unknown name.
    """
    frame, stages = _tables(scale, stack.layers[-1].stage)
    params, mult_adds = frame
    for number, layer in enumerate(stack.layers, 1):
        operations, joins, _ = stages[layer.stage]
        if layer.op not in operations:
            raise UnknownName("operation", layer.op, operations)
        cost = operations[layer.op]
        params += cost[0]
        mult_adds += cost[1]
        if number > 1:
            width, weights, positions = joins
            inputs = len(layer.skips) + 1
            params += inputs * weights + 2 * width
            mult_adds += inputs * weights * positions
    for stage, states in enumerate(reduced_states(stack), 1):
        cost = stages[stage][2]
        params += len(states) * cost[0]
        mult_adds += len(states) * cost[1]
    return Counts(params, mult_adds)


def reduced_states(stack: MacroStack) -> tuple[tuple[int, ...], ...]:
    """Return which states have to be reduced between stages.

    Args:
        stack: the layers.

    Returns:
        Per reduction, in order: the states before it (0 is the stem, i is layer i) that a layer after it reads.
    """
    reductions = []
    for stage in range(1, stack.layers[-1].stage + 1):
        after = [(number, layer) for number, layer in enumerate(stack.layers, 1) if layer.stage >= stage]
        read = {state for number, layer in after for state in (number - 1, *layer.skips)}
        reductions.append(tuple(sorted(state for state in read if state < after[0][0])))
    return tuple(reductions)


def check_macro_stack(stack: MacroStack) -> None:
    """Check that a network can be built of a stack.

    Args:
        stack: the layers.

    Raises:
        InputError: when there is no layer, a layer has a skip twice or from a state that it may not read, or stages do
            not rise one by one from 0.
        UnknownName: when an operation has an unknown name.
    """
    if not stack.layers:
        raise InputError("a macro network has at least one layer, got none")
    stage = 0
    for number, layer in enumerate(stack.layers, 1):
        if layer.op not in MACRO_COUNTS:
            raise UnknownName("operation", layer.op, MACRO_COUNTS)
        if len(set(layer.skips)) < len(layer.skips) or not set(layer.skips) <= set(range(number - 1)):
            raise InputError(
                f"layer {number} skips to states {layer.skips}; allowed: different ones below {number - 1}"
            )
        if layer.stage not in (stage, stage + (number > 1)):
            raise InputError(
                f"layer {number} has stage {layer.stage} after stage {stage}; stages start at 0 and rise by 1"
            )
        stage = layer.stage


Stage = tuple[Mapping[str, Counts], tuple[int, int, int], Counts]
"""Tables of one stage.

Operation -> counts of a layer's operation with its 1x1 convolution; (channels, weights per joined state, pixels) of the
1x1 convolution that joins states; counts of one reduction into the stage.
"""


@lru_cache(maxsize=256)
def _tables(scale: Scale, last: int) -> tuple[Counts, tuple[Stage, ...]]:
    """Return the counts of stem and classifier together, and the tables of stages 0 to `last`."""
    require_cifar_stem(scale, "ENAS macro")
    stages: list[Stage] = []
    width, size, reduction = scale.filters, scale.image_size, ZERO
    for stage in range(last + 1):
        if stage:
            reduction = count_factorized_reduction(width, 2 * width, size)
            width, size = 2 * width, strided(size, 2)
        first = convolution_bn(width, width, (1, 1), size**2)
        branches = {name: total((first, count(width, width, size, 1))) for name, count in MACRO_COUNTS.items()}
        stages.append((branches, (width, width * width, size**2), reduction))
    stem = convolution_bn(scale.image_channels, scale.filters, (3, 3), scale.image_size**2)
    return total((stem, linear(width, scale.classes))), tuple(stages)
