"""The workers of a killed `table build` end with it; ORPHAN_KILLS says how many builds are killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

from orphans import kills


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_no_worker_outlives_a_killed_build() -> None:
    done = list(kills(int(os.environ.get("ORPHAN_KILLS", "5"))))
    assert [kill.left for kill in done if kill.left] == []
