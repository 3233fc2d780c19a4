"""`nasbench show`: named networks with their encodings, counts and published scores; pictures only where asked for."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from commands import nasbench

from nasbench.cli.show import show
from nasbench.networks.alexnet import build_alexnet
from nasbench.networks.resnet import build_resnet
from nasbench.spaces import from_json, get_space
from nasbench.spaces.genotypes import GENOTYPES
from nasbench.structures import Scale
from nasbench.tabular.named_networks import HAND_DESIGNED, NAMES, named_architecture, published_sizes
from nasbench.tabular.published import published

ARCHITECTURE = get_space("nasnet:blocks=1").decode([1, 0, 2, 3, 0, 0, 1, 4, 5, 0])


def lines_of(name, *words, cwd):
    done = nasbench("show", name, *words, cwd=cwd)
    assert done.code == 0, done
    return done.out.splitlines()


def line_of(lines, start):
    (found,) = [line for line in lines if line.startswith(start)]
    return found


@pytest.mark.parametrize("name", GENOTYPES)
def test_the_encoding_of_a_genotype_is_its_architecture(name, tmp_path):
    lines = lines_of(name, cwd=tmp_path)
    architecture = from_json(line_of(lines, "encoding:").partition(" ")[2])
    assert architecture == named_architecture(name)
    assert line_of(lines, "hash:").split()[1] == architecture.hash
    # The genotype and what its encoding builds are one graph.
    space = architecture.space
    back = space.from_stack if name == "nas-v1" else space.from_cells
    assert back(GENOTYPES[name]).hash == architecture.hash


@pytest.mark.parametrize(
    ("name", "row", "values"),
    [
        ("nasnet-a", "NASNet-A 6@768", ["3,346,538", "544,333,312", "3.3M", "0.9659"]),
        ("nasnet-a", "NASNet-A 4@1056", ["5,289,978", "563,638,816", "5.3M", "564M", "0.74", "0.916"]),
        ("nasnet-a", "NASNet-A 6@4032", ["88,753,150", "23,783,414,658", "88.9M", "23.8B", "0.827", "0.962"]),
        ("amoebanet-a", "AmoebaNet-A (N=6 F=32)", ["2,567,754", "407,671,808", "2.6M", "0.966", "0.0008"]),
        ("amoebanet-a", "AmoebaNet-A (N=6 F=190)", ["86,718,797", "23,133,663,507", "23.1B", "0.828", "0.961"]),
        ("amoebanet-a", "AmoebaNet-A (N=6 F=448)", ["468,151,184", "469M", "104B", "0.839", "0.966"]),
        ("pnasnet-5", "PNASNet-5 CIFAR", ["3,189,082", "0.9659", "0.0009", "recalled"]),
        ("pnasnet-5", "PNASNet-5 large", ["86,057,668", "24,937,395,792", "25B", "0.829", "0.962"]),
        ("enas-micro", "ENAS micro + cutout", ["4.6M", "0.9711", "recalled"]),
        ("nas-v1", "NAS v1", ["4,201,630", "4,300,665,312", "4.2M", "0.945"]),
        ("resnet-20", "ResNet-20", ["269,722", "0.27M", "0.9125"]),
        ("resnet-110", "ResNet-110 as NAS prints it", ["1,727,962", "0.9339"]),
        ("alexnet", "AlexNet two towers", ["60,965,224"]),
        ("densenet121", "densenet121", ["7.979M", "0.7443"]),
    ],
)
def test_counts_and_published_scores_stand_side_by_side(name, row, values, tmp_path):
    lines = lines_of(name, cwd=tmp_path)
    head = lines.index(line_of(lines, "published as"))
    table = lines[head + 1 : lines.index("", head)]
    width = lines[head].index("data")
    (words,) = [line[width:].split() for line in table if line[:width].strip() == row]
    assert [value for value in values if value not in words] == []


def test_every_named_network_has_rows_and_where_it_can_be_built_the_shipped_counts():
    networks = published()
    exact = networks.set_index("model")[["exact_params", "exact_mult_adds"]]
    counted = 0
    for name in NAMES:
        sizes = published_sizes(name, networks)
        assert sizes, name
        for size in sizes:
            for ours, shipped in zip(size.counts or (), exact.loc[size.model]):
                if not pd.isna(shipped):
                    counted += 1
                    assert ours == shipped, size
            if size.counts is None:
                assert "not reproduced" in size.note, size
    assert counted >= 25


@pytest.mark.parametrize("name", HAND_DESIGNED)
def test_hand_designed_networks_are_built_by_the_call_that_is_named(name, tmp_path):
    call = line_of(lines_of(name, cwd=tmp_path), "encoding:").rpartition(" by ")[2].rpartition(".")[2]
    scale = Scale(image_size=224, classes=1000) if name == "alexnet" else Scale()
    network = eval(call, {"build_resnet": build_resnet, "build_alexnet": build_alexnet, "scale": scale})
    params = sum(parameter.numel() for parameter in network.parameters())
    assert {size.counts.params for size in published_sizes(name, published())} == {params}


def test_no_picture_is_drawn_unasked(tmp_path):
    for words in (
        ["nasnet-a"],
        ["nas-v1", "--picture", "-"],
        [ARCHITECTURE.to_json()],
        [ARCHITECTURE.to_json(), "--picture", "-"],
    ):
        assert not any(line.startswith("picture") for line in lines_of(*words, cwd=tmp_path))
    assert list(tmp_path.iterdir()) == []
    picture = next(option for option in show.params if option.name == "picture")
    assert picture.default == "-", "as its help says"
    assert "with - not at all, which is the default" in picture.help


@pytest.mark.parametrize("what", ["nasnet-a", "nas-v1", ARCHITECTURE.to_json()])
def test_a_picture_is_drawn_where_asked_for(what, tmp_path):
    lines = lines_of(what, "--picture", "drawn/it.svg", cwd=tmp_path)
    assert lines[-1] == "picture:   drawn/it.svg"
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")] == ["drawn/it.svg"]
    assert "<svg" in (tmp_path / "drawn/it.svg").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nasnet-b"], "no network 'nasnet-b', did you mean 'nasnet-a'?; allowed: a hash, JSON, amoebanet-a"),
        (["resnet-20", "--picture", "it.png"], "resnet-20 is not drawn"),
        (["resnet-20", "some.h5"], "resnet-20 is in no search space"),
        (["densenet121", "--picture", "it.png"], "densenet121 is not built here"),
        (["nasnet-a", "--picture", "it.gif"], "must end in .png, .svg or .pdf"),
        (["nasnet-a", "some.h5"], "some.h5"),
    ],
)
def test_a_mistake_is_one_line(words, message, tmp_path):
    done = nasbench("show", *words, cwd=tmp_path)
    assert done.code == 2, done
    assert message in done.err
    assert done.err.count("\n") == 1, done.err
    assert list(tmp_path.iterdir()) == []


def test_json_of_a_published_architecture_has_the_hash_of_its_name(tmp_path):
    encoding = line_of(lines_of("amoebanet-a", cwd=tmp_path), "encoding:").partition(" ")[2].strip()
    assert json.loads(encoding)["space"] == "amoebanet:output=explicit"
    assert line_of(lines_of(encoding, cwd=tmp_path), "hash:") == line_of(lines_of("amoebanet-a", cwd=tmp_path), "hash:")
