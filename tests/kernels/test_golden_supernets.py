"""Super-networks learn the same bits on every x86-64 processor, if their kernels are portable."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from nasbench.kernels.portable import SETTINGS

DIGESTS = {
    "darts": "9bf263dec0792866",
    "darts:order=2": "140c24fa815b3c02",
    "drnas:warmup_epochs=1": "c6f4c4e933a88577",
    "gdas": "4b4696dfc3d07286",
    "pcdarts:warmup_epochs=1": "47313255155a341d",
    "rs_ws": "d76d8f0e0b5ece6c",
}
"""Digest of all weights and of the mixture's parameters after two epochs; an Intel processor gave them, and emulated ones of AMD and Intel."""

LEARN = """
import hashlib
import sys

from nasbench.runners.strategies import STRATEGIES
from nasbench.spaces import get_space

FIELDS = {"protocol": "digits201-2", "data": "fake:images=96,size=8,channels=1,classes=10", "cells": 1, "epochs": 2}
for spec in sys.argv[1:]:
    name, _, options = spec.partition(":")
    kind = STRATEGIES.get(name)
    strategy = kind(get_space("nasbench201"), 0, kind.config_type(**FIELDS, **dict([options.split("=")] if options else [])))
    strategy.ask()
    digest = hashlib.blake2b(digest_size=8)
    tensors = [*strategy.trained.network.state_dict().values()]
    if hasattr(strategy.trained, "parameters"):
        tensors.append(strategy.trained.parameters.detach())
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().tobytes())
    print(spec, digest.hexdigest())
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the digests are those of x86-64")
def test_shared_weights_learn_the_bits_that_are_written_down() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEARN, *DIGESTS], env={**os.environ, **SETTINGS}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert dict(line.split() for line in done.stdout.splitlines()) == DIGESTS
