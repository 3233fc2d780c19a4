"""Published rows: every one has a source, they agree with themselves, with our counts and with torchvision's metadata."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path

import pandas as pd
import pytest
from torchvision import models

from nasbench.networks.cell_counts import count_cell_network
from nasbench.spaces.genotypes import AMOEBANET_A, NASNET_A, PNASNET_5
from nasbench.structures import Scale
from nasbench.tabular.published import (
    NETWORK_COLUMNS,
    published,
    published_networks,
    published_searches,
    torchvision_family,
    torchvision_models,
    year_of,
)

LARGE = {"image_size": 331, "classes": 1000, "stem": "imagenet", "skip_reduction_input": True}


@pytest.fixture(scope="module")
def papers():
    return published()


@pytest.fixture(scope="module")
def vision():
    return torchvision_models()


def row(frame, model):
    (found,) = frame[frame["model"] == model].to_dict("records")
    return found


def test_every_row_has_its_paper_place_and_tag(papers, vision):
    for frame in (papers, vision, published_searches()):
        assert (frame["paper"] != "").all()
        assert (frame["place"] != "").all()
        assert set(frame["tag"]) <= {"verified", "recalled"}
    assert set(papers["kind"]) == {"searched", "hand-designed"}
    assert not papers["model"].duplicated().any()


def test_both_frames_have_the_same_columns_and_types(papers, vision):
    assert tuple(papers.columns) == tuple(vision.columns) == NETWORK_COLUMNS
    assert papers.dtypes.equals(vision.dtypes)
    assert len(published_networks()) == len(papers) + len(vision)


def test_error_and_accuracy_add_up_to_one_and_are_fractions(papers, vision):
    for frame in (papers, vision):
        known = frame[frame["top1_acc"].notna() | frame["top1_error"].notna()]
        assert len(known) > 40
        assert (known["top1_acc"] + known["top1_error"]).to_numpy() == pytest.approx(1, abs=1e-9)
        assert known["top1_acc"].between(0.5, 1).all()
        assert (known["top5_acc"].dropna() > known["top1_acc"][known["top5_acc"].notna()]).all()


def test_printed_sizes_are_the_exact_ones_rounded(papers):
    both = papers[papers["exact_params"].notna() & papers["params"].notna()]
    assert len(both) >= 10
    assert (both["params"] / both["exact_params"]).astype(float).to_numpy() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("model", "pair", "scale", "skeleton"),
    [
        ("NASNet-A 6@768", NASNET_A, Scale(cells=6, filters=32), "nasnet"),
        ("NASNet-A 6@768 + cutout", NASNET_A, Scale(cells=6, filters=32), "nasnet"),
        (
            "NASNet-A 4@1056",
            NASNET_A,
            Scale(cells=4, filters=44, image_size=224, classes=1000, stem="imagenet"),
            "nasnet",
        ),
        ("NASNet-A 6@4032", NASNET_A, Scale(cells=6, filters=168, **LARGE), "nasnet"),
        ("PNASNet-5 large", PNASNET_5, Scale(cells=4, filters=216, **LARGE), "pnas"),
        ("PNASNet-5 CIFAR", PNASNET_5, Scale(cells=3, filters=48), "pnas"),
        ("AmoebaNet-A (N=6 F=32)", AMOEBANET_A, Scale(cells=6, filters=32), "nasnet"),
        ("AmoebaNet-A (N=6 F=36)", AMOEBANET_A, Scale(cells=6, filters=36), "nasnet"),
        ("AmoebaNet-A (N=6 F=190)", AMOEBANET_A, Scale(cells=6, filters=190, stem_filters=32, **LARGE), "nasnet"),
        ("AmoebaNet-A (N=6 F=448)", AMOEBANET_A, Scale(cells=6, filters=448, stem_filters=32, **LARGE), "nasnet"),
    ],
)
def test_exact_counts_are_those_of_the_closed_form(papers, model, pair, scale, skeleton):
    counts, found = count_cell_network(pair, scale, skeleton), row(papers, model)
    assert counts.params == found["exact_params"]
    if not pd.isna(found["exact_mult_adds"]):
        assert counts.mult_adds == found["exact_mult_adds"]


def test_costs_of_searches_are_devices_times_days():
    rows = published_searches().set_index("search")
    given = rows[rows["devices"].notna()]
    assert (given["devices"] * given["days"]).to_numpy() == pytest.approx(given["gpu_days"].to_numpy())
    assert rows.loc["nas", "gpu_days"] == rows.loc["nas", "printed_gpu_hours"] == 22_400
    assert rows.loc["nasnet", "gpu_days"] == rows.loc["nasnet", "printed_gpu_hours"] == 2_000
    assert rows.loc["amoebanet", "gpu_days"] == 3_150


def test_a_network_carries_the_cost_of_its_own_search_only(papers):
    assert row(papers, "NASNet-A 6@768")["search_gpu_days"] == 2_000
    assert row(papers, "NAS v1")["search_gpus"] == 800
    assert pd.isna(row(papers, "NASNet-B 4@1536")["search_gpu_days"])
    keys = set(papers["search"]) - {""}
    assert keys == set(published_searches()["search"])


def test_missing_stays_missing(papers):
    alexnet = row(papers, "AlexNet two towers")
    assert pd.isna(alexnet["top1_acc"])
    assert pd.isna(alexnet["params"])
    assert alexnet["exact_params"] == 60_965_224
    assert row(papers, "DenseNet-BC")["search_device"] == ""


def test_torchvision_rows_are_their_metadata(vision):
    checked = 0
    for found in vision.to_dict("records"):
        weights = models.get_model_weights(found["model"]).IMAGENET1K_V1
        scores = weights.meta["_metrics"]["ImageNet-1K"]
        assert found["params"] == weights.meta["num_params"]
        assert found["mult_adds"] == pytest.approx(weights.meta["_ops"] * 1e9)
        assert found["image_px"] == weights.transforms.keywords["crop_size"]
        assert found["top1_acc"] == pytest.approx(scores["acc@1"] / 100)
        assert found["top5_acc"] == pytest.approx(scores["acc@5"] / 100)
        checked += 1
    assert checked >= 70


def test_torchvision_figures_that_its_documentation_prints(vision):
    assert row(vision, "resnet18")["params"] == 11_689_512
    assert row(vision, "resnet50")["top1_acc"] == 0.7613
    assert row(vision, "vgg16")["mult_adds"] == 15_470_000_000
    assert row(torchvision_models(None), "resnet50 V2")["top1_acc"] == 0.80858


def test_torchvision_operations_are_multiply_adds(vision):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    network = models.get_model("resnet18", weights=None).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 224, 224))
    assert row(vision, "resnet18")["mult_adds"] == pytest.approx(counter.get_total_flops() / 2, abs=5e5)


def test_families_cite_the_paper_that_torchvision_cites():
    checked = 0
    for name in models.list_models(module=models):
        family, paper, _ = torchvision_family(name)
        cited = re.findall(r"arxiv\.org/(?:abs|pdf)/(\d{4}\.\d+)", models.get_model_builder(name).__doc__ or "")
        assert family
        if cited:
            assert cited == [paper]
            checked += 1
    assert checked >= 70


def test_later_recipes_are_not_as_published(vision):
    later = set(vision[~vision["as_published"]]["model"])
    assert {"resnext101_64x4d", "mnasnet1_3", "shufflenet_v2_x2_0", "vgg16_bn"} <= later
    assert {"resnet50", "vgg16", "densenet121"}.isdisjoint(later)
    assert not torchvision_models("IMAGENET1K_V2")["as_published"].any()


def test_the_year_of_a_paper():
    assert (year_of("1707.07012"), year_of("NIPS 2012")) == (2017, 2012)


def test_the_readme_of_the_results_names_every_column(papers):
    text = resources.files("nasbench.results").joinpath("README.md").read_text(encoding="utf-8")
    assert [name for name in (*papers.columns, *published_searches().columns) if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", ["digits201", "digits201-latency", "cifar10-jpeg-nasnet", "cifar10-jpeg-nas"])
def test_the_card_of_a_results_file_has_its_hash(name):
    folder = Path(__file__).parents[1] / "results"
    card = (folder / "README.md").read_text(encoding="utf-8").split(f"## {name}.h5\n")[1].split("\n## ")[0]
    assert f"| SHA-256 | {hashlib.sha256((folder / f'{name}.h5').read_bytes()).hexdigest()} |" in card
