"""Digests that stored results carry: golden values, and what happens to them when a protocol or a configuration grows."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field

from nasbench.protocols.identity import NEVER, identity_fields, unless, with_earlier_values
from nasbench.protocols.protocol import Protocol, get_protocol
from nasbench.runners.search.config import SearchConfig, plan_search
from nasbench.runners.search.resuming import stored_config
from nasbench.store.query import Results
from nasbench.transfer.protocol import TRANSFER_PROTOCOLS, TransferProtocol

DIGEST = "0" * 16


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [
        ("cifar10-quick", "e5202066d7afe7ee"),
        ("digits", "dfee08084d2b3802"),
        ("digits201", "c7ac5989af6fcc05"),
        ("digits201-2", "e979e2f23b8ff317"),
        ("nas2016", "dbfd5ca01b502b6c"),
        ("nasbench201", "4e6f9bb3471adea3"),
        ("nasbench201-200", "1e49a00f36f39d57"),
        ("nasnet2017", "2e9bab169256c3e0"),
        ("nasnet-cifar", "cdbf95ffc87b6194"),
    ],
)
def test_fingerprints_of_named_protocols_are_what_stored_rows_carry(name: str, fingerprint: str) -> None:
    assert get_protocol(name).fingerprint(DIGEST) == fingerprint


def test_the_default_protocols_fingerprint_is_golden() -> None:
    assert Protocol().fingerprint(DIGEST) == "339464028835a36d"


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [("nasnet-imagenet-large", "48bf1dfabafd0fdc"), ("nasnet-imagenet-mobile", "12076c982e46e7b6")],
)
def test_fingerprints_of_transfer_protocols_are_golden(name: str, fingerprint: str) -> None:
    assert TRANSFER_PROTOCOLS[name].fingerprint() == fingerprint


@pytest.mark.parametrize(
    ("fields", "run"),
    [
        ({}, "0ac5977fdb05"),
        ({"seed": 3, "strategy": "ppo", "final": "best"}, "7c8a9b644bdb"),
        ({"ordered": True}, "0f2b6ed13747"),
        ({"children_per_device": 2, "runs_per_device": 2, "executor": "local"}, "d8906cd24420"),
    ],
)
def test_run_ids_are_golden(fields: dict[str, object], run: str) -> None:
    """Those of configurations that were stored before `final_seeds` and `stream` existed."""
    config = {"strategy": "random", "space": "nasnet:blocks=2", "budget": "3 children", **fields}
    assert plan_search(SearchConfig.model_validate(with_earlier_values(SearchConfig, config))).run == run


@pytest.mark.parametrize(
    ("fields", "run"), [({}, "35b8a89455ce"), ({"seed": 3, "strategy": "ppo", "final_seeds": 1}, "af8f5c94ce7f")]
)
def test_run_ids_of_new_searches_are_golden(fields: dict[str, object], run: str) -> None:
    config = {"strategy": "random", "space": "nasnet:blocks=2", "budget": "3 children", **fields}
    assert plan_search(SearchConfig.model_validate(config)).run == run


@pytest.mark.parametrize("other", [{"price": "0.2"}, {"retries": 3}, {"set": {}}, {"address": "elsewhere:1"}])
def test_fields_that_decide_nothing_leave_the_run_id(other: dict[str, object]) -> None:
    config = {"strategy": "random", "space": "nasnet:blocks=2", "budget": "3 children"}
    assert plan_search(SearchConfig.model_validate({**config, **other})).run == "35b8a89455ce"


class GrownProtocol(Protocol):
    """A later version's protocol."""

    ema_decay: float = Field(default=0.0, json_schema_extra=unless(0.0))
    note: str = Field(default="", json_schema_extra=NEVER)


def test_a_field_added_to_a_protocol_changes_no_stored_fingerprint() -> None:
    assert GrownProtocol(note="anything").fingerprint(DIGEST) == Protocol().fingerprint(DIGEST)
    assert GrownProtocol(ema_decay=0.5).fingerprint(DIGEST) != Protocol().fingerprint(DIGEST)


class GrownTransferProtocol(TransferProtocol):
    """A later version's transfer protocol."""

    mixup: float = Field(default=0.0, json_schema_extra=unless(0.0))


def test_a_field_added_to_a_transfer_protocol_changes_no_stored_fingerprint() -> None:
    plain = TRANSFER_PROTOCOLS["nasnet-imagenet-large"]
    assert GrownTransferProtocol(**plain.model_dump()).fingerprint() == plain.fingerprint()
    assert GrownTransferProtocol(**plain.model_dump(), mixup=0.2).fingerprint() != plain.fingerprint()


class GrownConfig(SearchConfig):
    """A later version's configuration."""

    warm_start: str = Field(default="", json_schema_extra=unless(""))


def test_a_field_added_to_a_configuration_changes_no_run_id() -> None:
    fields = {"strategy": "random", "space": "nasnet:blocks=2", "budget": "3 children"}
    assert identity_fields(GrownConfig.model_validate(fields)) == identity_fields(SearchConfig.model_validate(fields))


class ChangedDefault(Protocol):
    """A later version whose default of a later field is another one: what was stored before keeps its meaning."""

    kernels: Literal["fast", "portable"] = Field(default="portable", json_schema_extra=unless("fast"))


def test_a_changed_default_does_not_move_what_the_frozen_value_means() -> None:
    assert ChangedDefault(kernels="fast").fingerprint(DIGEST) == Protocol().fingerprint(DIGEST)
    assert ChangedDefault().fingerprint(DIGEST) == Protocol(kernels="portable").fingerprint(DIGEST)
    assert ChangedDefault().fingerprint(DIGEST) != Protocol().fingerprint(DIGEST)


def test_networks_of_another_version_have_another_fingerprint() -> None:
    assert Protocol().fingerprint(DIGEST, 1) == Protocol().fingerprint(DIGEST)
    assert Protocol().fingerprint(DIGEST, 2) != Protocol().fingerprint(DIGEST)


@pytest.mark.parametrize("file", ["claims.h5", "cifar10-jpeg-nasnet.h5", "cifar10-jpeg-nas.h5"])
def test_runs_of_the_files_that_ship_keep_their_ids(file: str) -> None:
    """The data's digest is taken from the file, so that no data is needed."""
    import json

    from nasbench.protocols.identity import digest_of
    from nasbench.spaces import get_space

    with Results(f"results/{file}") as results:
        runs = results.runs().to_dict("records")
    assert runs
    for stored in runs:
        config = stored_config(str(stored["config"]), None)
        space = get_space(config.space)
        protocol = get_protocol(config.protocol, config.set)
        fingerprint = protocol.fingerprint(stored["data_digest"], space.network_version)
        assert fingerprint == stored["fingerprint"], json.loads(stored["config"])
        fields = {**identity_fields(config), "space": space.spec, "fingerprint": fingerprint}
        assert digest_of(fields, 6) == stored["run"]


def test_the_first_edition_of_digits201_keeps_its_fingerprint() -> None:
    """Its networks are version 1 of nasbench201's, which can still be built."""
    import json

    from nasbench.runners.search.config import resolve

    with Results("results/digits201.h5") as results:
        stored = results.runs().to_dict("records")[0]
    config = SearchConfig.model_validate(with_earlier_values(SearchConfig, json.loads(stored["config"])))
    assert resolve(config, 1).fingerprint == stored["fingerprint"]
    assert resolve(config, 1).run == stored["run"]
    assert resolve(config).fingerprint != stored["fingerprint"]
