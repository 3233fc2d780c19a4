"""The layers that the self-test of kernels runs: the suite's layers, or torch's plain operations in their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasbench.kernel_tests.cases import Case, LayerName
from nasbench.networks.convolutions import (
    Classifier,
    FactorizedReduction,
    PaddedConv2d,
    SameAvgPool2d,
    SameConv2d,
    SameMaxPool2d,
    ValidConv2d,
    pool_padding,
    same_padding,
)
from nasbench.supernets.shared_layers import Chosen, SlotConv2d, SlotReduction


class OnTwoMaps(nn.Module):
    """A layer of a super-network, applied to the concatenation of two feature maps.

    Args:
        layer: the layer, with two slots.
    """

    def __init__(self, layer: SlotConv2d | SlotReduction) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, images: Tensor) -> Tensor:
        """Apply the layer to both halves of the channels.

        Args:
            images: [batch, channels, height, width], with an even number of channels.

        Returns:
            [batch, outputs, output height, output width].
        """
        chosen = Chosen(images.chunk(2, 1), (0, 1))
        output: Tensor = (
            self.layer(chosen.stacked, chosen.slots) if isinstance(self.layer, SlotConv2d) else self.layer(chosen)
        )
        return output


def build_layer(case: Case) -> nn.Module:
    """Build the layer of a case, in training mode.

    Args:
        case: the case.

    Returns:
        The layer; its initial weights are drawn from torch's global generator.
    """
    return BUILDERS[case.layer](case).train()


def _convolution(kind: type[ValidConv2d]) -> Callable[[Case], nn.Module]:
    return lambda case: kind(case.inputs, case.outputs, case.kernel, case.stride, case.dilation, case.groups)


def _biased(case: Case) -> nn.Module:
    padding = min(2, case.kernel[0] // 2)  # as in AlexNet
    return nn.Conv2d(case.inputs, case.outputs, case.kernel, case.stride, padding, groups=case.groups)


def _unnormed(layer: FactorizedReduction | SlotReduction) -> nn.Module:
    """Return a layer without its BatchNorm, which is tested by itself and would hide errors by rescaling."""
    layer.norm = nn.Identity()  # type: ignore[assignment]
    return OnTwoMaps(layer) if isinstance(layer, SlotReduction) else layer


def _normalizing(case: Case) -> nn.Module:
    norm = nn.BatchNorm2d(case.inputs)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


BUILDERS: Mapping[LayerName, Callable[[Case], nn.Module]] = {
    "same_conv": _convolution(SameConv2d),
    "valid_conv": _convolution(ValidConv2d),
    "padded_conv": _convolution(PaddedConv2d),
    "biased_conv": _biased,
    "slot_conv": lambda case: OnTwoMaps(SlotConv2d(2, case.inputs // 2, case.outputs, case.stride[0])),
    "reduction": lambda case: _unnormed(FactorizedReduction(case.inputs, case.outputs)),
    "slot_reduction": lambda case: _unnormed(SlotReduction(2, case.inputs // 2, case.outputs)),
    "max_pool": lambda case: SameMaxPool2d(case.kernel[0], case.stride[0]),
    "avg_pool": lambda case: SameAvgPool2d(case.kernel[0], case.stride[0]),
    "padded_max_pool": lambda case: nn.MaxPool2d(3, case.stride[0], 1),
    "padded_avg_pool": lambda case: nn.AvgPool2d(3, case.stride[0], 1, count_include_pad=False),
    "stage_pool": lambda case: nn.MaxPool2d(2, 2, ceil_mode=True),
    "inner_max_pool": lambda case: nn.MaxPool2d(case.kernel, case.stride),
    "inner_avg_pool": lambda case: nn.AvgPool2d(case.kernel, case.stride),
    "halving_avg_pool": lambda case: nn.AvgPool2d(2, 2, ceil_mode=True),
    "linear": lambda case: nn.Linear(case.inputs, case.outputs),
    "classifier": lambda case: Classifier(case.inputs, case.outputs),
    "batch_norm": _normalizing,
}


def plain_output(case: Case, layer: nn.Module, images: Tensor) -> Tensor:
    """Compute the output of a layer with torch's plain operation in place of the suite's.

    Args:
        case: a case whose layer is in `nasbench.kernel_tests.cases.OWN_WAY`.
        layer: the layer of the case, for its weights.
        images: [batch, channels, height, width].

    Returns:
        [batch, outputs, output height, output width].
    """
    weights: list[Tensor] = list(layer.parameters())
    if case.layer == "max_pool":
        padding = pool_padding(images, case.kernel[0], case.stride[0])
        return F.max_pool2d(images, case.kernel, case.stride, padding, ceil_mode=True)
    if case.layer in ("reduction", "slot_reduction"):
        slots = 2 if case.layer == "slot_reduction" else 1
        pixels = F.relu(images) if slots == 2 else images
        straight, shifted = (torch.cat(part, 1) if part else None for part in (weights[:-slots], weights[-slots:]))
        assert shifted is not None
        reduced = F.conv2d(F.pad(pixels, (-1, 1, -1, 1)), shifted, None, 2)
        return reduced if straight is None else torch.cat((F.conv2d(pixels, straight, None, 2), reduced), 1)
    top = bottom = left = right = 0
    if case.layer == "same_conv":
        top, bottom = same_padding(case.height, case.kernel[0], case.stride[0], case.dilation)
        left, right = same_padding(case.width, case.kernel[1], case.stride[1], case.dilation)
        if top != bottom or left != right:
            images = F.pad(images, (left, right, top, bottom))
            top = left = 0
    elif case.layer == "padded_conv":
        top, left = (size // 2 * case.dilation for size in case.kernel)
    weight = torch.cat(weights, 1) if case.layer == "slot_conv" else weights[0]
    return F.conv2d(images, weight, None, case.stride, (top, left), case.dilation, case.groups)
