"""The protocol `images`: batch, epochs, validation share and crop follow from the data."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from commands import nasbench as command

import nasbench
from nasbench.data import Dataset, Images, load_data
from nasbench.data.fitting import fitted, fitting_in_a_line
from nasbench.errors import InputError
from nasbench.protocols.protocol import get_protocol, overridden

CELL = nasbench.get_space("nasbench201").decode([3, 3, 1, 0, 2, 1]).to_json()


def data_of(images: int, size: int = 8) -> Dataset:
    """A data set that only has its sizes: one image, seen `images` times."""
    one = load_data(f"fake:images=4,size={size},classes=2")
    pixels = np.broadcast_to(one.train.pixels[:1], (images, *one.train.pixels.shape[1:]))
    return dataclasses.replace(one, train=Images(pixels, np.arange(images) % 2))


@pytest.mark.parametrize(
    ("images", "validation", "batch", "epochs"),
    [
        (100, 0.3, 16, 30),
        (400, 0.3, 16, 30),
        (1200, 0.3, 16, 12),
        (10_000, 0.3, 64, 4),
        (50_000, 0.2, 256, 4),
        (1_000_000, 0.01, 256, 4),
    ],
)
def test_values_follow_from_the_number_of_images(images: int, validation: float, batch: int, epochs: int) -> None:
    protocol = fitted(get_protocol("images"), data_of(images))
    assert (protocol.validation, protocol.batch_size, protocol.epochs) == (validation, batch, epochs)
    assert protocol.fit == ()


@pytest.mark.parametrize(("size", "crop"), [(4, 6), (8, 10), (32, 40), (64, 80), (96, 120)])
def test_the_crop_follows_from_the_side(size: int, crop: int) -> None:
    assert fitted(get_protocol("images"), data_of(100, size)).crop_from == crop


def test_what_is_set_stays() -> None:
    protocol = get_protocol("images", {"epochs": "2", "validation": 0.5})
    assert protocol.fit == ("batch_size", "crop_from")
    values = fitted(protocol, data_of(1200))
    assert (values.epochs, values.validation, values.batch_size) == (2, 0.5, 16)
    longer = fitted(get_protocol("images", {"epochs": 60}), data_of(1200))
    assert (longer.epochs, longer.batch_size) == (60, 64), "the batch follows from the images that are seen in all"
    assert fitting_in_a_line(protocol, data_of(1200)) == (
        "protocol images+ for 1200 training images of 8x8: batch_size=16, crop_from=10 (--set replaces any)"
    )


def test_what_is_set_in_a_protocol_object_stays() -> None:
    once = overridden(get_protocol("images"), {"epochs": 2})
    twice = overridden(once, {"crop_from": 12, "step_milestones": "0.25,0.5"})
    assert once.fit == ("validation", "batch_size", "crop_from")
    assert (twice.name, twice.fit, twice.step_milestones) == ("images+", ("validation", "batch_size"), (0.25, 0.5))


def test_own_validation_images_are_no_share() -> None:
    data = dataclasses.replace(data_of(1200), validation_from=1000)
    protocol = get_protocol("images")
    assert fitted(protocol, data).validation == protocol.validation
    assert "for 1000 training images of 8x8: batch_size=" in fitting_in_a_line(protocol, data)
    only = overridden(protocol, {"batch_size": 8, "epochs": 2, "crop_from": 10})
    assert only.fit == ("validation",)
    assert fitting_in_a_line(only, data) == ""


def test_what_a_search_replaces_in_a_protocol_object_stays(tmp_path) -> None:
    run = nasbench.search(
        "nasbench201",
        "random",
        "1 children",
        tmp_path / "images.h5",
        protocol=get_protocol("images", {"data": "fake:images=60,size=6,classes=2", "epochs": 2}),
        set={"epochs": 1, "batch_size": 4},
        progress=False,
    )
    stored = json.loads(run.row["config"])
    assert {"epochs": 1, "batch_size": 4, "fit": ["validation", "crop_from"]}.items() <= stored["set"].items()
    assert set(run.frame()["epochs"]) == {1}


def test_other_protocols_are_left_alone() -> None:
    protocol = get_protocol("digits")
    assert fitted(protocol, data_of(100)) is protocol
    assert fitting_in_a_line(protocol, data_of(100)) == ""


def test_a_fingerprint_is_that_of_the_chosen_values() -> None:
    data = data_of(1200)
    with pytest.raises(InputError, match="complete only with its data"):
        get_protocol("images").fingerprint(data.digest)
    chosen = fitted(get_protocol("images"), data)
    fields = {name: getattr(chosen, name) for name in ("validation", "batch_size", "epochs", "crop_from")}
    written = get_protocol("images", fields)
    assert written.fit == ()
    assert written.fingerprint(data.digest) == chosen.fingerprint(data.digest)


def test_a_search_stores_and_repeats_the_chosen_values(tmp_path) -> None:
    text = "fake:images=60,size=6,classes=2"
    path = tmp_path / "images.h5"
    run = nasbench.search(
        "nasbench201", "random", "1 children", path, protocol="images", set={"data": text, "epochs": 1}, progress=False
    )
    assert run.status == "complete"
    again = nasbench.search(
        "nasbench201",
        "random",
        "1 children",
        path,
        protocol=get_protocol("images", {"data": text, "epochs": 1}),
        progress=False,
    )
    assert again.id == run.id
    assert nasbench.verify(path).agrees


@pytest.mark.slow
def test_the_same_lines_are_said_from_python_and_the_command_line(tmp_path, capsys) -> None:
    text = "fake:images=60,size=6,classes=2"
    changes = {"data": text, "epochs": 1, "filters": 4}
    expected = [
        "data fake: 2 classes, 60 training + 30 test images, 3x6x6, digest ",
        "protocol images+ for 60 training images of 6x6: validation=0.3, batch_size=16, crop_from=8",
    ]

    def said(err: str) -> list[str]:
        return [line for line in err.splitlines() if line.startswith(("data ", "protocol "))]

    for progress in (True, False):
        path = tmp_path / f"{progress}.h5"
        nasbench.search(
            "nasbench201", "random", "1 children", path, protocol="images", set=changes, final="none", progress=progress
        )
        lines = said(capsys.readouterr().err)
        assert len(lines) == 2 * progress
        assert all(line.startswith(start) for line, start in zip(lines, expected))
    words = ("--protocol", "images", "--data", text, "--set", "epochs=1", "--set", "filters=4")
    search = ("--space", "nasbench201", "--strategy", "random", "--budget", "1 children", "--final", "none")
    first = said(command("run", *search, *words, "-o", str(tmp_path / "a.h5")).err)
    second = said(command("train", CELL, *words, "-o", str(tmp_path / "m.safetensors")).err)
    assert first == second
    assert all(line.startswith(start) for line, start in zip(first, expected, strict=True))
