"""A replay whose file cannot be written says so: there is no journal to resume from."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import nasbench
from nasbench.store import packing
from nasbench.store.errors import StoreError


@pytest.mark.parametrize(("code", "what"), [(errno.ENOSPC, "disk full"), (errno.EIO, os.strerror(errno.EIO))])
def test_nothing_is_left_and_the_error_does_not_say_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, what: str
) -> None:
    found = nasbench.replay("digits201-2", ["random"], [0], "5 children", progress=False)

    def failing(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(packing, "_write", failing)
    with pytest.raises(StoreError) as raised:
        found.save(tmp_path / "r.h5")
    assert f"r.h5: {what} while writing the new file; " in str(raised.value)
    assert str(raised.value).endswith("and run the command again")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert Path(found.save(tmp_path / "r.h5")).exists()
