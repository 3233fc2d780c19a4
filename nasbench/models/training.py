"""Training of one architecture into a model file, with the loop of the searches."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nasbench.data.announcing import Announcements
from nasbench.errors import InputError
from nasbench.models.files import MODEL, STATE, held, make_folder, require_replaceable
from nasbench.models.keeping import KeepModel
from nasbench.models.loading import read_model
from nasbench.protocols.identity import identity_fields
from nasbench.protocols.protocol import Protocol
from nasbench.spaces import Architecture
from nasbench.training.evaluate import checked_data, device_name, evaluate, resolve_device
from nasbench.training.evaluation import Child, Evaluation


def train_into(
    path: str | os.PathLike[str],
    architecture: Architecture,
    protocol: Protocol,
    *,
    seed: int = 0,
    test: bool = True,
    device: str = "cpu",
    replace: bool = False,
    shown: bool = False,
) -> Evaluation:
    """Train an architecture into a model file; see `nasbench.train_model` for arguments, results and errors.

    After each epoch the state is saved beside the file, as PATH.training; the same call continues an interrupted
    training, and ends with the bits of one that was never interrupted. `shown` prints lines on data and protocol and one
    per epoch on standard error.
    """
    target = Path(path)
    require_replaceable(target, MODEL)
    make_folder(target)
    keeper = KeepModel(target, shown=shown)
    require_replaceable(keeper.state_path, STATE)
    make_folder(keeper.state_path)  # its name is the longest
    dataset = checked_data(protocol, device)
    identity = {
        "hash": architecture.hash,
        "choices": list(architecture.choices),
        "space": architecture.space.spec,
        "networks": architecture.space.built_version,
        **{f"protocol's {name}": value for name, value in identity_fields(protocol).items()},
        "data": dataset.digest,
        "seed": seed,
        "device": device_name(resolve_device(device)),
    }
    keeper = KeepModel(target, identity, shown)
    for line in Announcements().lines(protocol) if shown else ():
        print(line, file=sys.stderr, flush=True)
    with held(target):
        if target.exists() and not replace:
            there, _ = read_model(target)
            found = f"a model of {there.hash[:12]}, protocol {there.protocol.name}, seed {there.seed}"
            raise InputError(f"{str(target)!r} exists: {found}; choose another name with -o, or give --replace")
        keeper.read_state()  # refuses the state of another training before anything is trained
        evaluation = evaluate(Child(architecture, protocol, seed, test=test, keeper=keeper), device)
    if evaluation.status != "ok":
        left = "; the same command continues after the last completed epoch" if keeper.state_path.exists() else ""
        raise InputError(f"the training ended without a model: {evaluation.status}: {evaluation.error}{left}")
    return evaluation
