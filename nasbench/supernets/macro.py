"""The super-network of ENAS's macro space."""

from __future__ import annotations

from torch import Tensor, nn

from nasbench.networks.convolutions import Classifier, FactorizedReduction, convolution_bn
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.macro import build_branch
from nasbench.networks.macro_counts import reduced_states
from nasbench.spaces.base import Architecture
from nasbench.spaces.enas_macro import EnasMacroSpace
from nasbench.structures import Regularization, Scale
from nasbench.supernets.base import SuperNetwork
from nasbench.supernets.shared_layers import use_batch_statistics


class MacroSuperNetwork(SuperNetwork):
    """The super-network of the macro space. Skips are added here; a network of the space concatenates them.

    Paths share: the operations of each layer, with the 1x1 convolutions before them; the BatchNorm after the sum of
    each layer (the first layer has none, as it has no skips); a factorized reduction per state between stages; stem and
    classifier.

    Args:
        space: layers and operations.
        scale: F, image and classes.
        regularization: only dropout is used.

    Raises:
        InputError: when the scale has an ImageNet stem or sets `stem_filters`.

    Source: Pham et al. 2018 (1802.03268), section 2.3, and the released macro search (github.com/melodyguan/enas,
    general_child.py).
    Deviation: filters double at each reduction, as in the networks of the space; in the released search their number
    stays the same. States that no later layer reads are not reduced.
    """

    def __init__(self, space: EnasMacroSpace, scale: Scale, regularization: Regularization) -> None:
        super().__init__()
        require_cifar_stem(scale, "ENAS macro")
        self.space = space
        self.stem = nn.Sequential(*convolution_bn(scale.image_channels, scale.filters, 3))
        widths = [scale.filters * 2 ** space.stage(layer) for layer in range(space.layers)]
        self.branches = nn.ModuleList(
            nn.ModuleDict({operation: build_branch(operation, width) for operation in space.operations})
            for width in widths
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width) if layer else nn.Identity() for layer, width in enumerate(widths)
        )
        self.reductions = nn.ModuleList(
            nn.ModuleList(FactorizedReduction(widths[layer - 1], widths[layer]) for _ in range(layer + 1))
            for layer in range(1, space.layers)
            if space.stage(layer) > space.stage(layer - 1)
        )
        self.classifier = Classifier(widths[-1], scale.classes, regularization.dropout)
        use_batch_statistics(self)

    def forward(self, images: Tensor, architecture: Architecture) -> Tensor:
        """Compute the logits of an architecture; see `SuperNetwork.forward`."""
        stack = self.space.structure(architecture)
        reduced = reduced_states(stack)
        states: dict[int, Tensor] = {0: self.stem(images)}
        stage = 0
        for number, (layer, branches, norm) in enumerate(zip(stack.layers, self.branches, self.norms), 1):
            if layer.stage > stage:
                reductions = self.reductions[stage]
                assert isinstance(reductions, nn.ModuleList)
                states = {state: reductions[state](states[state]) for state in reduced[stage]}
                stage = layer.stage
            assert isinstance(branches, nn.ModuleDict)
            joined = branches[layer.op](states[number - 1])
            for state in layer.skips:
                joined = joined + states[state]
            states[number] = norm(joined)
        logits: Tensor = self.classifier(states[len(stack.layers)])
        return logits
