"""Seeds of the strategies' random numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def stream_seed(strategy: str, options: Mapping[str, Any], seed: int) -> int:
    """Derive the seed of a strategy's random numbers from the seed of its run.

    If strategies used the run's seed itself, those that begin with random architectures would begin with the same ones,
    and their runs with equal seeds would not be independent.

    Args:
        strategy: name of the strategy.
        options: its options that differ from the defaults, as JSON values.
        seed: seed of the run, >= 0.

    Returns:
        A seed in [0, 2**32).
    """
    text = json.dumps([strategy, dict(options), seed], sort_keys=True)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")
