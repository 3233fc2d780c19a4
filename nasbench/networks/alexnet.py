"""AlexNet, a hand-designed network to compare with on ImageNet."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from nasbench.networks.alexnet_counts import (
    CONVOLUTIONS,
    HIDDEN,
    POOL_KERNEL,
    POOL_STRIDE,
    AlexConvolution,
    count_alexnet,
    final_size,
)
from nasbench.networks.base import Network
from nasbench.networks.counting import require_cifar_stem
from nasbench.networks.dropout import Dropout
from nasbench.structures import Regularization, Scale

__all__ = ["AlexNet", "build_alexnet", "count_alexnet"]

NEIGHBOURS, ALPHA, BETA, OFFSET = 5, 1e-4, 0.75, 2.0  # n, alpha, beta and k of the paper's response normalization
HIDDEN_BIAS = 0.1


def build_alexnet(scale: Scale, regularization: Regularization | None = None) -> Network:
    """Build AlexNet; its two towers are convolutions in two groups.

    Args:
        scale: image size (63 pixels or more; 224 in the paper), image channels and classes (1000 in the paper). Its
            cells and filters are not used.
        regularization: only dropout is used, for the units of both hidden layers (0.5 in the paper); None for none.

    Returns:
        The network; initial weights come from torch's global generator.

    Raises:
        InputError: when the image is too small, or the scale has an ImageNet stem (that of cell networks) or sets
            `stem_filters`.

    Source: Krizhevsky et al., NIPS 2012, sections 3 and 5. Weights start from a normal distribution of standard
    deviation 0.01.
    Deviation: with 224 pixels the paper's maps of 55x55 need a padding of 2, which the paper does not mention. Biases
    that start from 1 in the paper start from 0.1, as in the BVLC replication, which found that 1 does not train.
    """
    require_cifar_stem(scale, "AlexNet")
    return AlexNet(scale, regularization or Regularization())


class AlexNet(Network):
    """Five convolutions with biases, three max pools, three fully connected layers.

    Args:
        scale: image size and channels, and classes.
        regularization: only dropout is used.

    Raises:
        InputError: when the image is too small.
    """

    def __init__(self, scale: Scale, regularization: Regularization) -> None:
        super().__init__()
        features = CONVOLUTIONS[-1].filters * final_size(scale.image_size) ** 2
        layers: list[nn.Module] = []
        inputs = scale.image_channels
        for layer in CONVOLUTIONS:
            layers += _build_layer(inputs, layer)
            inputs = layer.filters
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.classifier = nn.Sequential(
            _initialized(nn.Linear(features, HIDDEN), HIDDEN_BIAS),
            nn.ReLU(),
            Dropout(regularization.dropout),
            _initialized(nn.Linear(HIDDEN, HIDDEN), HIDDEN_BIAS),
            nn.ReLU(),
            Dropout(regularization.dropout),
            _initialized(nn.Linear(HIDDEN, scale.classes), 0.0),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Classify images; see `Network`."""
        logits: Tensor = self.classifier(self.features(images))
        return logits


class ResponseNormalization(nn.Module):
    """Divides each value by (k + alpha s)^beta, where s is the sum of squares over neighbouring channels at its pixel.

    Source: Krizhevsky et al., NIPS 2012, section 3.3, with n = 5 channels, alpha = 1e-4, beta = 0.75, k = 2.
    Deviation: torch's `nn.LocalResponseNorm` is not used. It divides alpha by n, and its backward pass, an average pool
    in three dimensions, has no deterministic implementation on CUDA.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Divide each value by a power of the sum of squares over the neighbouring channels.

        Args:
            maps: [batch, channels, height, width].

        Returns:
            A tensor of the same shape.
        """
        before = NEIGHBOURS // 2
        squares = functional.pad(maps.square(), (0, 0, 0, 0, before, NEIGHBOURS - 1 - before))
        near = squares[:, : maps.shape[1]]
        for shift in range(1, NEIGHBOURS):
            near = near + squares[:, shift : shift + maps.shape[1]]
        return maps / (OFFSET + ALPHA * near) ** BETA

    def extra_repr(self) -> str:
        """Return the text that `print` shows."""
        return f"neighbours={NEIGHBOURS}, alpha={ALPHA}, beta={BETA}, offset={OFFSET}"


def _build_layer(inputs: int, layer: AlexConvolution) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, layer.filters, layer.kernel, layer.stride, layer.padding, groups=layer.groups)
    modules: list[nn.Module] = [_initialized(convolution, layer.bias), nn.ReLU()]
    if layer.normalized:
        modules.append(ResponseNormalization())
    if layer.pooled:
        modules.append(nn.MaxPool2d(POOL_KERNEL, POOL_STRIDE))
    return modules


def _initialized(layer: nn.Conv2d | nn.Linear, bias: float) -> nn.Module:
    assert layer.bias is not None
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, bias)
    return layer
