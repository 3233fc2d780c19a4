"""A results file whose children cover their space is a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nasbench.errors import InputError
from nasbench.spaces import get_space
from nasbench.tabular.tables import of_one_platform, table_of_children

SPACE = get_space("nasbench201")
LEAST = {"space": SPACE.spec, "fingerprint": "f", "data": "digits", "stage": "search", "status": "ok", "seed": 0}


@pytest.fixture(scope="module")
def children() -> pd.DataFrame:
    """One child of each hash, the first a second time, the last one failed; the first is scored on the test set, too."""
    hashes = sorted({architecture.hash for architecture in SPACE.enumerate()})
    rows = [
        {**LEAST, "hash": key, "val_acc": (index % 97) / 100, "device_seconds": 1.0 + index, "params": index}
        for index, key in enumerate(hashes)
    ]
    rows[-1] |= {"status": "failed", "val_acc": np.nan}
    rows.append({**rows[0], "seed": 1, "val_acc": 0.5, "device_seconds": 3.0})
    rows.append({**rows[0], "stage": "final", "test_acc": 0.25})
    return pd.DataFrame(rows).assign(mult_adds=7, platform="here")


def test_children_that_cover_the_space_are_a_table(children):
    table = table_of_children(children, "file")
    first, last = children["hash"].iloc[0], children["hash"].iloc[-3]
    for code in range(0, SPACE.size, 13):
        key = table.architecture(code).hash
        row = children[children["hash"] == key].iloc[0]
        assert table.params[code] == row["params"]
        if key not in (first, last):
            assert (table.val_acc[code], table.seconds[code]) == (row["val_acc"], row["device_seconds"])
    codes = {key: [c for c in range(SPACE.size) if table.architecture(c).hash == key] for key in (first, last)}
    assert table.val_acc[codes[first]].tolist() == [0.25] * len(codes[first])  # the mean of 0 and 0.5
    assert table.seconds[codes[first]].tolist() == [2.0] * len(codes[first])
    assert table.test_acc[codes[first]].tolist() == [0.25] * len(codes[first])
    assert np.isnan(table.val_acc[codes[last]]).all()
    assert table.name == "digits"
    trainings = table.trainings
    assert trainings is not None
    for code in codes[first]:
        mine = slice(trainings.first[code], trainings.first[code] + trainings.counts[code])
        assert trainings.val_acc[mine].tolist() == [0.0, 0.5]
        assert trainings.seeds[mine].tolist() == [0, 1]
    assert trainings.several
    assert not table_of_children(children[children["seed"] == 0], "file").trainings.several
    assert table_of_children(children.assign(seed=-1), "file").trainings is None  # imported means


def test_seconds_of_two_machines_do_not_mix(children):
    """A second seed of half of the table on a machine of another speed changes scores, not costs."""
    half = children.iloc[1 : len(children) // 2]
    slower = half.assign(platform="there", device_seconds=100.0 + half["device_seconds"], val_acc=half["val_acc"] + 0.5)
    alone, both = (table_of_children(rows, "file") for rows in (children, pd.concat([slower, children])))
    assert np.array_equal(alone.seconds, both.seconds)
    assert np.nanmax(both.val_acc - alone.val_acc) == pytest.approx(0.25)


def test_one_platform_is_the_one_with_the_most_architectures():
    rows = pd.DataFrame({"hash": list("aabcabd"), "platform": ["x", "x", "x", "x", "y", "y", "z"]})
    assert of_one_platform(rows).index.tolist() == [0, 1, 2, 3, 6]


def test_a_hash_without_a_row_is_missing(children):
    with pytest.raises(InputError, match="1 of 5425 architectures have no row"):
        table_of_children(children[children["hash"] != children["hash"].iloc[5]], "file")


def test_two_protocols_are_no_table(children):
    with pytest.raises(InputError, match="2 values of 'fingerprint'"):
        table_of_children(pd.concat([children, children.assign(fingerprint="g")]), "file")


def test_a_space_too_large_is_refused(children):
    with pytest.raises(InputError, match="tables hold at most"):
        table_of_children(children.assign(space="nasnet:blocks=5"), "file")
