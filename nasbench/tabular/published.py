"""Figures published by papers and libraries: size and accuracy of networks, and cost of the searches for them.

The rows of the papers ship as CSV (`results/`). Those of torchvision come from the metadata of the installed version,
without downloading weights. A value that no source gives stays missing.
"""

from __future__ import annotations

import math
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

AS_PUBLISHED = "IMAGENET1K_V1"

_COUNTS = (
    "image_px",
    "depth",
    "params",
    "mult_adds",
    "exact_params",
    "exact_mult_adds",
    "search_gpus",
    "search_children",
)
_FLAGS = ("cutout", "as_published")

# Columns of every frame of networks, in order; `results/README.md` explains each.
NETWORK_COLUMNS = (
    "system",
    "model",
    "kind",
    "data",
    "image_px",
    "depth",
    "params",
    "mult_adds",
    "exact_params",
    "exact_mult_adds",
    "cutout",
    "top1_error",
    "top1_error_sd",
    "top1_acc",
    "top5_acc",
    "search",
    "search_device",
    "search_gpus",
    "search_days",
    "search_gpu_days",
    "search_children",
    "year",
    "as_published",
    "paper",
    "place",
    "tag",
    "note",
)

# Prefix of a torchvision name -> family, its paper, "hand-designed" or "searched". The longest prefix of a name wins.
_TORCHVISION_FAMILIES = {
    "alexnet": ("AlexNet", "1404.5997", "hand-designed"),
    "convnext": ("ConvNeXt", "2201.03545", "hand-designed"),
    "densenet": ("DenseNet", "1608.06993", "hand-designed"),
    "efficientnet_b": ("EfficientNet", "1905.11946", "searched"),
    "efficientnet_v2": ("EfficientNetV2", "2104.00298", "searched"),
    "googlenet": ("Inception", "1409.4842", "hand-designed"),
    "inception_v3": ("Inception", "1512.00567", "hand-designed"),
    "maxvit": ("MaxViT", "2204.01697", "hand-designed"),
    "mnasnet": ("MnasNet", "1807.11626", "searched"),
    "mobilenet_v2": ("MobileNetV2", "1801.04381", "hand-designed"),
    "mobilenet_v3": ("MobileNetV3", "1905.02244", "searched"),
    "regnet": ("RegNet", "2003.13678", "hand-designed"),
    "resnet": ("ResNet", "1512.03385", "hand-designed"),
    "resnext": ("ResNeXt", "1611.05431", "hand-designed"),
    "shufflenet_v2": ("ShuffleNetV2", "1807.11164", "hand-designed"),
    "squeezenet": ("SqueezeNet", "1602.07360", "hand-designed"),
    "swin_": ("Swin", "2103.14030", "hand-designed"),
    "swin_v2": ("SwinV2", "2111.09883", "hand-designed"),
    "vgg": ("VGG", "1409.1556", "hand-designed"),
    "vit": ("ViT", "2010.11929", "hand-designed"),
    "wide_resnet": ("Wide ResNet", "1605.07146", "hand-designed"),
}

# Recipes, as cited in the metadata, of V1 weights that torchvision trained years after the paper, with far better
# results than the paper.
_LATER_RECIPES = ("pull/5906", "pull/5935", "pull/6019")

_PARAMS_NOTES = {
    "googlenet": "params without the auxiliary heads",
    "inception_v3": "params with the auxiliary head; 23.8M without",
}


def published() -> pd.DataFrame:
    """Read the networks of the papers, one row each, with the cost of the search that found them.

    Returns:
        `NETWORK_COLUMNS`. params and mult_adds are as printed (rounded); exact_params and exact_mult_adds as counted by
        this suite (trainable, without auxiliary head). Accuracies and errors are fractions in [0, 1], on the test set
        of CIFAR-10 and on the validation set of ImageNet. tag is "verified" (read in the paper or its released code, or
        counted) or "recalled". A value that the source does not give is missing.
    """
    rows = _shipped("published.csv")
    costs = published_searches()[["search", "device", "devices", "days", "gpu_days", "children"]]
    costs.columns = pd.Index(
        ["search", "search_device", "search_gpus", "search_days", "search_gpu_days", "search_children"]
    )
    rows = rows.merge(costs, on="search", how="left", validate="many_to_one")
    rows["year"] = rows["paper"].map(year_of)
    rows["as_published"] = True
    return _typed(rows)


def published_searches() -> pd.DataFrame:
    """Read the cost of the papers' searches as the papers state it, one row per search.

    Returns:
        search (key), system, device, devices, days, gpu_days (devices x days, or the paper's figure), children, epochs
        (per child), printed_gpu_hours (the figure in the literature if it differs from gpu_days x 24), paper, place
        (in the paper), tag, note. Missing texts are '', missing numbers NaN.
    """
    rows = _shipped("published_searches.csv")
    for name in ("devices", "days", "gpu_days", "children", "epochs", "printed_gpu_hours"):
        rows[name] = rows[name].astype(float)
    return rows


def torchvision_models(weights: str | None = AS_PUBLISHED) -> pd.DataFrame:
    """List size, cost and ImageNet accuracy of torchvision's classification networks, from their weights' metadata.

    The metadata's `_ops` are multiply-adds in units of 1e9, rounded to 1e6, although torchvision's documentation calls
    them "GFLOPS": its counter counts one operation per multiplication in convolutions and matrix products, including
    attention. One network of each of twenty families was counted again with half of torch's FlopCounterMode, and all
    agree to the last digit (ViT after its fused attention was added, which that counter does not see).

    Args:
        weights: name of the weights, e.g. "IMAGENET1K_V1", or None for all. The first version is closest to the papers;
            later versions were trained longer. `as_published` is False for first versions trained by such a later
            recipe, and for VGG with batch normalization, which is not in its paper.

    Returns:
        `NETWORK_COLUMNS`. params and mult_adds are those of the metadata, at the crop size of the weights. Weights
        without an accuracy (features only) are left out.
    """
    from torchvision import models

    rows = []
    for name in models.list_models(module=models):
        for entry in models.get_model_weights(name):
            row = _torchvision_row(name, entry)
            if weights in (None, entry.name) and not math.isnan(row["top1_acc"]):
                rows.append(row)
    return _typed(pd.DataFrame(rows).reindex(columns=list(NETWORK_COLUMNS)))


def published_networks() -> pd.DataFrame:
    """Join the networks of `published` and of `torchvision_models`.

    Returns:
        `NETWORK_COLUMNS`; the papers' rows first.
    """
    return pd.concat([published(), torchvision_models()], ignore_index=True)


def year_of(paper: str) -> int:
    """Return the year of a paper.

    Args:
        paper: arXiv id, e.g. "1707.07012" (2017), or a text that ends with the year, e.g. "NIPS 2012".

    Returns:
        The year.

    Raises:
        ValueError: for any other text.
    """
    arxiv = re.fullmatch(r"(\d\d)\d\d\.\d+", paper)
    return 2000 + int(arxiv.group(1)) if arxiv else int(paper.split()[-1])


def torchvision_family(name: str) -> tuple[str, str, str]:
    """Look up the family of a torchvision model.

    Args:
        name: name in torchvision, e.g. "resnet50".

    Returns:
        Family, arXiv id of its paper, and "hand-designed" or "searched". Three times '' for an unknown model, so that
        models of later torchvision versions are listed, too.
    """
    known = [prefix for prefix in _TORCHVISION_FAMILIES if name.startswith(prefix)]
    return _TORCHVISION_FAMILIES[max(known, key=len)] if known else ("", "", "")


def _torchvision_row(name: str, weights: WeightsEnum) -> dict[str, Any]:
    import torchvision

    meta = weights.meta
    family, paper, kind = torchvision_family(name)
    scores = meta["_metrics"]["ImageNet-1K"]
    later = weights.name != AS_PUBLISHED or str(meta.get("recipe", "")).endswith(_LATER_RECIPES)
    notes = [_PARAMS_NOTES.get(name, ""), "recipe of torchvision, later than the paper" if later else ""]
    return {
        "system": family,
        "model": name if weights.name == AS_PUBLISHED else f"{name} {weights.name.removeprefix('IMAGENET1K_')}",
        "kind": kind,
        "data": "imagenet",
        "image_px": weights.transforms.keywords["crop_size"],
        "params": meta["num_params"],
        "mult_adds": round(meta["_ops"] * 1e9),
        "cutout": False,
        "top1_error": round(1 - scores["acc@1"] / 100, 5),
        "top1_acc": round(scores["acc@1"] / 100, 5),
        "top5_acc": round(scores["acc@5"] / 100, 5),
        "search": "",
        "search_device": "",
        "year": year_of(paper) if paper else math.nan,
        "as_published": not later and not name.endswith("_bn"),
        "paper": paper,
        "place": f"torchvision {torchvision.__version__.partition('+')[0]} {weights}",
        "tag": "verified",
        "note": "; ".join(note for note in notes if note),
    }


def _shipped(name: str) -> pd.DataFrame:
    """Read a CSV of `results/`; empty texts are '' and empty numbers NaN."""
    with resources.files("nasbench.results").joinpath(name).open(encoding="utf-8") as file:
        rows = pd.read_csv(file, dtype={"paper": str})
    texts = rows.columns.difference([*_COUNTS, *_FLAGS]).difference(rows.select_dtypes("number").columns)
    rows[texts] = rows[texts].fillna("")
    return rows


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Order and convert the columns: integers to Int64 (which can be missing), flags to bool, missing texts to ''."""
    rows = rows[list(NETWORK_COLUMNS)].copy()
    for name in (*_COUNTS, "year"):
        rows[name] = rows[name].astype("Int64")
    for name in _FLAGS:
        rows[name] = rows[name].astype(bool)
    for name in ("search_days", "search_gpu_days", "top1_error", "top1_error_sd", "top1_acc", "top5_acc"):
        rows[name] = rows[name].astype(float)
    rows["search_device"] = rows["search_device"].fillna("")
    return rows
