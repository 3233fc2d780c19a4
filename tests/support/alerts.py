"""Operations of which torch says that they have no deterministic CUDA implementation, by the names in its documentation."""

from __future__ import annotations

import re

import torch

# Name in the documentation of torch.use_deterministic_algorithms, torch 2.6 to 2.14 -> operations of ATen that raise the alert.
ALERTS: dict[str, tuple[str, ...]] = {
    "torch.nn.AvgPool3d": ("avg_pool3d_backward",),
    "torch.nn.AdaptiveAvgPool2d": ("_adaptive_avg_pool2d_backward",),
    "torch.nn.AdaptiveAvgPool3d": ("_adaptive_avg_pool3d_backward",),
    "torch.nn.MaxPool3d": ("max_pool3d_with_indices_backward",),
    "torch.nn.AdaptiveMaxPool2d": ("adaptive_max_pool2d_backward",),
    "torch.nn.FractionalMaxPool2d": ("fractional_max_pool2d_backward",),
    "torch.nn.FractionalMaxPool3d": ("fractional_max_pool3d_backward",),
    "torch.nn.MaxUnpool1d": ("max_unpool2d",),
    "torch.nn.MaxUnpool2d": ("max_unpool2d",),
    "torch.nn.MaxUnpool3d": ("max_unpool3d",),
    "torch.nn.functional.interpolate": (
        "upsample_linear1d_backward",
        "upsample_bilinear2d_backward",
        "upsample_bicubic2d_backward",
        "upsample_trilinear3d_backward",
        "_upsample_bilinear2d_aa_backward",
        "_upsample_bicubic2d_aa_backward",
    ),
    "torch.nn.ReflectionPad1d": ("reflection_pad1d_backward",),
    "torch.nn.ReflectionPad2d": ("reflection_pad2d_backward",),
    "torch.nn.ReflectionPad3d": ("reflection_pad3d_backward",),
    "torch.nn.ReplicationPad1d": ("replication_pad1d_backward",),
    "torch.nn.ReplicationPad2d": ("replication_pad2d_backward",),
    "torch.nn.ReplicationPad3d": ("replication_pad3d_backward",),
    # Of images [b, c, h, w] only: libtorch_cuda has the alert "nll_loss2d_forward_out_cuda_template" and none for nll_loss_forward.
    "torch.nn.NLLLoss": ("nll_loss2d_forward",),
    "torch.nn.CTCLoss": ("_ctc_loss_backward",),
    "torch.nn.EmbeddingBag": ("_embedding_bag_dense_backward",),
    "torch.Tensor.put_": ("put_", "put"),
    "torch.histc": ("histc",),
    "torch.bincount": ("bincount",),
    "torch.kthvalue": ("kthvalue",),
    "torch.median": ("median", "nanmedian"),
    "torch.nn.functional.grid_sample": ("grid_sampler_2d_backward", "grid_sampler_3d_backward"),
    "torch.cumsum": ("cumsum",),
    "torch.Tensor.scatter_reduce": ("scatter_reduce", "scatter_reduce_"),
    "torch.Tensor.resize_": (),  # quantized tensors
}


def documented() -> set[str]:
    """The names that the installed torch's documentation lists as raising an error."""
    text = str(torch.use_deterministic_algorithms.__doc__)
    listed = text.split("normally-nondeterministic operations will throw")[1].split("In addition")[0]
    return set(re.findall(r"\* :(?:class|func):`([\w.]+)`", listed))


def without_deterministic_kernel(operations: set[str]) -> set[str]:
    """Those of the traced operations, e.g. "aten.histc.default", that raise the alert on CUDA."""
    names = {name for group in ALERTS.values() for name in group}
    return {operation for operation in operations if operation.split(".")[1] in names}
