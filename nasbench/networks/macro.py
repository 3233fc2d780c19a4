"""Networks of ENAS's macro space: a chain of layers with skip connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from nasbench.networks.base import Network
from nasbench.networks.convolutions import (
    Classifier,
    FactorizedReduction,
    SameAvgPool2d,
    SameConv2d,
    SameMaxPool2d,
    convolution_bn,
)
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.macro_counts import check_macro_stack, reduced_states
from nasbench.structures import MacroStack, Regularization, Scale


def build_macro_network(stack: MacroStack, scale: Scale, regularization: Regularization | None = None) -> Network:
    """Build the classifier of an ENAS macro architecture, with weights of its own.

    Args:
        stack: the layers.
        scale: F (`filters`, doubled at each reduction), image and classes. Its `cells` are not used.
        regularization: only dropout is used; these networks have no drop-path and no auxiliary head. None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the stack's wiring is impossible, or the scale has an ImageNet stem or sets `stem_filters`.
        UnknownName: when an operation has an unknown name.

    Source: Pham et al., arXiv 1802.03268, section 2.3, and the released code's final networks. The stem is a 3x3
    convolution and BatchNorm. A layer's operation reads the state before it; from layer 2 on, its result and the skips
    are concatenated and pass ReLU, 1x1 convolution and BatchNorm. Between stages, a factorized reduction gives each
    state half the size and twice the filters. The last state passes global average pooling and a fully connected layer.
    Deviation: operations are those of the released search: 1x1 convolution, BatchNorm, ReLU, then the operation with
    its BatchNorm and ReLU; a separable convolution is one depthwise and one pointwise convolution. The code's final
    networks build separable convolutions as plain ones, put ReLUs first and have no pools. States that no later layer
    reads are not reduced. The classifier has a bias; the code's has none.
    """
    require_cifar_stem(scale, "ENAS macro")
    check_macro_stack(stack)
    return MacroNetwork(stack, scale, regularization or Regularization())


class MacroNetwork(Network):
    """Stem, layers with reductions between stages, classifier.

    Args:
        stack: the layers, with possible wiring.
        scale: F, image channels and classes.
        regularization: only dropout is used.
    """

    def __init__(self, stack: MacroStack, scale: Scale, regularization: Regularization) -> None:
        super().__init__()
        self.stack = stack
        self.stem = nn.Sequential(*convolution_bn(scale.image_channels, scale.filters, 3))
        self.branches, self.joins = nn.ModuleList(), nn.ModuleList()
        for number, layer in enumerate(stack.layers, 1):
            width = scale.filters * 2**layer.stage
            self.branches.append(build_branch(layer.op, width))
            inputs = (len(layer.skips) + 1) * width
            join = nn.Sequential(nn.ReLU(), *convolution_bn(inputs, width, 1)) if number > 1 else nn.Identity()
            self.joins.append(join)
        self.reductions = nn.ModuleList(
            nn.ModuleDict(
                {
                    str(state): FactorizedReduction(scale.filters * 2**stage, scale.filters * 2 ** (stage + 1))
                    for state in states
                }
            )
            for stage, states in enumerate(reduced_states(stack))
        )
        last = scale.filters * 2 ** stack.layers[-1].stage
        self.classifier = Classifier(last, scale.classes, regularization.dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images; see `Network`."""
        states: dict[int, Tensor] = {0: self.stem(images)}
        stage = 0
        for number, (layer, branch, join) in enumerate(zip(self.stack.layers, self.branches, self.joins), 1):
            if layer.stage > stage:
                reductions = self.reductions[stage]
                assert isinstance(reductions, nn.ModuleDict)
                states = {int(state): reduction(states[int(state)]) for state, reduction in reductions.items()}
                stage = layer.stage
            joined = [*(states[state] for state in layer.skips), branch(states[number - 1])]
            states[number] = join(torch.cat(joined, 1))
        logits: Tensor = self.classifier(states[len(self.stack.layers)])
        return logits


def build_branch(op: str, width: int) -> nn.Sequential:
    """Build a layer's operation and the 1x1 convolution, BatchNorm and ReLU before it.

    Args:
        op: name of the operation, a key of `MACRO_OPERATIONS`.
        width: input and output channels.

    Returns:
        A module that maps [batch, channels, height, width] to the same shape.
    """
    return nn.Sequential(*convolution_bn(width, width, 1), nn.ReLU(), *MACRO_OPERATIONS[op](width))


def _convolution(width: int, kernel: int) -> list[nn.Module]:
    return [*convolution_bn(width, width, kernel), nn.ReLU()]


def _separable(width: int, kernel: int) -> list[nn.Module]:
    return [SameConv2d(width, width, kernel, groups=width), *convolution_bn(width, width, 1), nn.ReLU()]


MACRO_OPERATIONS: Mapping[str, Callable[[int], list[nn.Module]]] = {
    "conv_3x3": lambda width: _convolution(width, 3),
    "sep_conv_3x3": lambda width: _separable(width, 3),
    "conv_5x5": lambda width: _convolution(width, 5),
    "sep_conv_5x5": lambda width: _separable(width, 5),
    "avg_pool_3x3": lambda width: [SameAvgPool2d(3, 1)],
    "max_pool_3x3": lambda width: [SameMaxPool2d(3, 1)],
}
