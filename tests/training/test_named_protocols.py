"""Named protocols, overrides, errors and fingerprints."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nasbench.errors import InputError, UnknownName
from nasbench.protocols.protocol import PROTOCOLS, Protocol, get_protocol

DIGEST = "0123456789abcdef"

# For every field, another value that it may have (with others that must then change, too).
OTHER_VALUES: dict[str, dict[str, object]] = {
    "validation": {"validation": 0.31},
    "split_seed": {"split_seed": 5},
    "train_images": {"train_images": 7},
    "epochs": {"epochs": 3},
    "batch_size": {"batch_size": 3},
    "optimizer": {"optimizer": "rmsprop"},
    "learning_rate": {"learning_rate": 0.03},
    "momentum": {"momentum": 0.5},
    "rmsprop_decay": {"rmsprop_decay": 0.5},
    "rmsprop_epsilon": {"rmsprop_epsilon": 0.5},
    "weight_decay": {"weight_decay": 0.5},
    "schedule": {"schedule": "constant"},
    "step_milestones": {"step_milestones": (0.1, 0.2)},
    "step_factor": {"step_factor": 0.3},
    "warmup": {"warmup": 0.3},
    "whiten": {"whiten": False},
    "enlarge": {"enlarge": "pad", "crop_from": 44},
    "crop_from": {"enlarge": "upsample", "crop_from": 45},
    "flip": {"flip": True},
    "cutout": {"cutout": 3},
    "label_smoothing": {"label_smoothing": 0.3},
    "drop_path_keep": {"drop_path_keep": 0.3},
    "dropout": {"dropout": 0.3},
    "auxiliary_weight": {"auxiliary_weight": 0.3},
    "clip_norm": {"clip_norm": 0.3},
    "cells": {"cells": 7},
    "filters": {"filters": 7},
    "stem": {"stem": "imagenet"},
    "skip_reduction_input": {"skip_reduction_input": True},
    "precision": {"precision": "bfloat16"},
    "channels_last": {"channels_last": False},
    "threads": {"threads": 2},
    "kernels": {"kernels": "portable"},
    "drop_path_by_depth": {"drop_path_by_depth": True},
}
NOT_IN_FINGERPRINT = {"name": "other", "source": "other", "data": "folder:/other/place"}


@pytest.mark.parametrize("field", sorted({*Protocol.model_fields} - {"fit"}))
def test_every_field_but_names_and_paths_is_in_the_fingerprint(field: str) -> None:
    plain = Protocol()
    if field in NOT_IN_FINGERPRINT:
        changed = Protocol(**{field: NOT_IN_FINGERPRINT[field]})
        assert changed != plain
        assert changed.fingerprint(DIGEST) == plain.fingerprint(DIGEST)
    else:
        changed = Protocol(**OTHER_VALUES[field])
        assert getattr(changed, field) != getattr(plain, field)
        assert changed.fingerprint(DIGEST) != plain.fingerprint(DIGEST)


def test_the_datas_digest_is_in_the_fingerprint() -> None:
    assert Protocol().fingerprint(DIGEST) != Protocol().fingerprint(DIGEST[::-1])
    assert len(Protocol().fingerprint(DIGEST)) == 16


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_every_named_protocol_states_its_source_and_survives_json(name: str) -> None:
    protocol = get_protocol(name)
    assert protocol.name == name
    assert len(protocol.source) > 100
    assert Protocol.model_validate_json(protocol.model_dump_json()) == protocol
    assert hash(protocol) == hash(get_protocol(name))


def test_named_protocols_have_distinct_fingerprints() -> None:
    complete = [name for name in PROTOCOLS if not get_protocol(name).fit]
    assert len({get_protocol(name).fingerprint(DIGEST) for name in complete}) == len(complete)


def test_a_protocol_that_leaves_fields_to_the_data_has_no_fingerprint_before() -> None:
    assert [name for name in PROTOCOLS if get_protocol(name).fit] == ["images"]
    with pytest.raises(InputError, match="'images' is complete only with its data"):
        get_protocol("images").fingerprint(DIGEST)


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("nas2016", {"epochs": 50, "learning_rate": 0.1, "weight_decay": 1e-4, "optimizer": "nesterov", "flip": True}),
        (
            "nasnet2017",
            {"epochs": 20, "schedule": "cosine", "momentum": 0.9, "cells": 2, "enlarge": "upsample", "crop_from": 40},
        ),
        (
            "nasnet-cifar",
            {
                "epochs": 600,
                "batch_size": 32,
                "clip_norm": 5,
                "drop_path_keep": 0.6,
                "drop_path_by_depth": True,
                "auxiliary_weight": 0.4,
            },
        ),
        ("nasbench201", {"epochs": 12, "batch_size": 256, "cells": 5, "filters": 16, "weight_decay": 5e-4}),
        ("nasbench201-200", {"epochs": 200, "batch_size": 256, "cells": 5, "filters": 16, "weight_decay": 5e-4}),
    ],
)
def test_the_papers_numbers(name: str, facts: dict) -> None:
    protocol = get_protocol(name)
    assert {key: getattr(protocol, key) for key in facts} == facts
    assert protocol.data == "cifar10"


def test_the_two_nasbench201_protocols_differ_in_epochs_only() -> None:
    short, long = (
        get_protocol(name).model_dump(exclude={"name", "source"}) for name in ("nasbench201", "nasbench201-200")
    )
    assert {key for key in short if short[key] != long[key]} == {"epochs"}


def test_overrides_are_typed_texts_or_values() -> None:
    protocol = get_protocol(
        "nas2016",
        {"learning_rate": "0.05", "flip": "false", "epochs": 3, "step_milestones": "0.2,0.9", "schedule": "cosine"},
    )
    assert protocol.name == "nas2016+"
    assert (protocol.learning_rate, protocol.flip, protocol.epochs) == (0.05, False, 3)
    assert (protocol.step_milestones, protocol.schedule) == ((0.2, 0.9), "cosine")
    assert protocol.crop_from == 40


def test_no_overrides_leave_the_protocol_as_it_is() -> None:
    assert get_protocol("digits", {}) is get_protocol("digits")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"epoch": "3"}, ["no field 'epoch'", "did you mean 'epochs'"]),
        ({"learningrate": 1, "flop": True}, ["'learning_rate'", "'flip'"]),
        ({"epochs": "0"}, ["epochs", "greater than or equal to 1", "'0'"]),
        ({"epochs": "many"}, ["epochs", "'many'"]),
        ({"optimizer": "adam"}, ["optimizer", "'sgd'", "'rmsprop'", "'adam'"]),
        ({"learning_rate": "nan"}, ["learning_rate"]),
        ({"learning_rate": "inf"}, ["learning_rate", "finite"]),
        ({"validation": 1}, ["validation", "less than 1"]),
        ({"crop_from": 40}, ["enlarge", "crop_from"]),
        ({"enlarge": "pad"}, ["enlarge", "crop_from"]),
        ({"step_milestones": "0.9,0.5"}, ["step_milestones", "growing"]),
        ({"step_milestones": "0.5,1.5"}, ["step_milestones", "between 0 and 1"]),
        ({"step_milestones": "half"}, ["step_milestones"]),
    ],
)
def test_bad_overrides_end_in_one_line_that_names_them_all(overrides: dict, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        get_protocol("digits", overrides)
    line = str(caught.value)
    assert line.startswith("protocol 'digits': ")
    assert "\n" not in line
    assert ": :" not in line
    assert all(word in line for word in words)


def test_an_unknown_protocol_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownName, match="did you mean 'nasnet2017'"):
        get_protocol("nasnet2018")


def test_protocols_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Protocol().epochs = 3
