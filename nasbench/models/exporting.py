"""Export of a trained network: ONNX for onnxruntime, and torch's own .pt2."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from packaging.version import Version
from torch import Tensor, nn

from nasbench.errors import InputError, MissingExtra
from nasbench.exporter_output import quiet_exporters
from nasbench.models.description import ModelDescription
from nasbench.models.files import write_beside
from nasbench.models.loading import TrainedModel

TOLERANCE: Final = 1e-5
"""Largest difference between the results of the export and of the network, relative to the largest logit if that is
above 1."""

OLDEST_TORCH: Final = "2.8"
"""Oldest release of torch that was tried and exports to ONNX; 2.6 does not."""

ENDINGS: Final = (".onnx", ".pt2")
_DESCRIPTION: Final = "nasbench.model"
_OUTPUTS: Final = ("logits", "probabilities")
_TRIED: Final = (1, 3)  # batch sizes of the check


class Exported(nn.Module):
    """The network with its whitening: grey levels in, logits and probabilities out.

    Args:
        model: the trained network, on the CPU.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        self.network = model.network
        description = model.description
        shape = (1, description.image_channels, 1, 1)
        self.register_buffer("mean", torch.tensor(description.mean, dtype=torch.float32).view(shape))
        self.register_buffer("scale", 1 / torch.tensor(description.deviation, dtype=torch.float32).view(shape))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute logits and probabilities.

        Args:
            images: uint8 [images, channels, side, side], grey levels.

        Returns:
            Logits and probabilities, float32 [images, classes] each.
        """
        logits = self.network((images.to(torch.float32) - self.mean) * self.scale)
        return logits, logits.softmax(1)


def export_model(model: TrainedModel, path: Path, replace: bool = False) -> float:
    """Export a network with its whitening, and compare the export with the network.

    The input "images" is uint8 [images, channels, side, side] with any number of images; the outputs "logits" and
    "probabilities" are float32 [images, classes]. Decoding and resizing of image files stay outside. The file holds the
    description of the model: ONNX in its metadata under "nasbench.model", .pt2 as the extra file "nasbench.model.json".

    Args:
        model: the trained network, on the CPU.
        path: the file; its ending decides the format: .onnx or .pt2.
        replace: whether an earlier export there may be replaced; another kind of file never is.

    Returns:
        The largest difference between the results of the export and of the network, relative to the largest logit if
        that is above 1; at most `TOLERANCE`.

    Raises:
        InputError: when the ending is another one, the file exists, the installed packages do not work together (ONNX
            needs torch 2.8), or the export differs from the network.
        MissingExtra: when a package of the extra onnx is missing.
    """
    if path.suffix not in ENDINGS:
        raise InputError(f"export to {str(path)!r}: the ending decides the format; allowed: {', '.join(ENDINGS)}")
    if path.exists() and not (path.is_file() and _is_export(path.read_bytes(), path.suffix)):
        raise InputError(
            f"{str(path)!r} exists and is no export of nasbench, so it is not replaced; choose another name"
        )
    if path.exists() and not replace:
        raise InputError(f"{str(path)!r} exists; choose another name with -o, or give --replace")
    module = Exported(model).eval()
    content = _onnx(module, model.description) if path.suffix == ".onnx" else _pt2(module, model.description)
    difference = _largest_difference(content, path.suffix, module, model.description)
    if not difference <= TOLERANCE:
        raise InputError(
            f"export to {str(path)!r}: its results differ by {difference:.2g} from the network's, more than "
            f"{TOLERANCE:g}; nothing was written"
        )
    write_beside(path, content)
    return difference


def _is_export(content: bytes, ending: str) -> bool:
    """Check whether a file begins as its format does, and has our description."""
    beginning = b"\x08" if ending == ".onnx" else b"PK"  # the version of ONNX as the first field; a zip file
    return content.startswith(beginning) and _DESCRIPTION.encode() in content


def _example(description: ModelDescription, images: int) -> Tensor:
    """Return random grey levels, the same at each call."""
    shape = (images, description.image_channels, description.image_size, description.image_size)
    levels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return torch.from_numpy(levels)


def _onnx(module: Exported, description: ModelDescription) -> bytes:
    _require("onnx", "onnxscript", "onnxruntime")
    if Version(torch.__version__) < Version(OLDEST_TORCH):
        raise InputError(
            f"torch {torch.__version__} does not export these networks to ONNX with any onnxscript from 0.3 on: use torch "
            f"{OLDEST_TORCH} or newer, or export to a name ending in .pt2"
        )
    import onnx

    with quiet_exporters(), torch.inference_mode(False), torch.no_grad():
        try:
            program = torch.onnx.export(
                module,
                (_example(description, 2),),
                dynamo=True,
                input_names=["images"],
                output_names=list(_OUTPUTS),
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                verbose=False,
            )
        # Releases of torch and onnxscript that are years apart do not work together: parts are missing, or conversions
        # and passes fail, all of which are RuntimeErrors.
        except (ImportError, RuntimeError) as error:
            versions = f"torch {torch.__version__} and onnxscript {version('onnxscript')}"
            raise InputError(
                f"{versions} cannot export this network to ONNX ({_cause_of(error)}): pip install --upgrade torch "
                "onnxscript onnx-ir, or export to a name ending in .pt2"
            ) from error
    assert program is not None
    proto = program.model_proto
    entry = proto.metadata_props.add()
    entry.key, entry.value = _DESCRIPTION, description.to_json()
    entry = proto.metadata_props.add()
    entry.key, entry.value = "classes", json.dumps(description.classes)
    onnx.checker.check_model(proto)
    content: bytes = proto.SerializeToString()
    return content


def _cause_of(error: BaseException) -> str:
    """Return the type and the first line of the exception that began a chain."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _pt2(module: Exported, description: ModelDescription) -> bytes:
    with quiet_exporters(), torch.no_grad():
        program = torch.export.export(
            module, (_example(description, 2),), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},)
        )
        buffer = io.BytesIO()
        torch.export.save(program, buffer, extra_files={f"{_DESCRIPTION}.json": description.to_json()})
    return buffer.getvalue()


def _largest_difference(content: bytes, ending: str, module: Exported, description: ModelDescription) -> float:
    run = _onnx_runner(content) if ending == ".onnx" else _pt2_runner(content)
    differences = []
    for size in _TRIED:
        images = _example(description, size)
        with torch.no_grad():
            expected = [result.numpy() for result in module(images)]
        scale = max(1.0, float(np.abs(expected[0]).max()))
        pairs = zip(run(images), expected, (scale, 1.0))
        differences += [float(np.abs(found - right).max()) / unit for found, right, unit in pairs]
    return max(differences)


def _onnx_runner(content: bytes) -> Callable[[Tensor], list[Any]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda images: session.run(list(_OUTPUTS), {"images": images.numpy()})


def _pt2_runner(content: bytes) -> Callable[[Tensor], list[Any]]:
    with quiet_exporters():
        module = torch.export.load(io.BytesIO(content)).module()

    def run(images: Tensor) -> list[Any]:
        with torch.no_grad():
            return [result.numpy() for result in module(images)]

    return run


def _require(*packages: str) -> None:
    from importlib.util import find_spec

    for package in packages:
        if find_spec(package) is None:
            raise MissingExtra(package, "onnx")
