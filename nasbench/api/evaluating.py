"""Training single architectures from Python: `evaluate` and `verify`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasbench.errors import InputError
from nasbench.protocols.protocol import Protocol, get_protocol, overridden
from nasbench.spaces import Architecture, from_json

if TYPE_CHECKING:
    import pandas as pd

    from nasbench.training.evaluation import Evaluation
    from nasbench.training.verify import RowCheck


def evaluate(
    architecture: Architecture | str,
    protocol: str | Protocol = "digits",
    *,
    set: Mapping[str, Any] | None = None,
    seed: int = 0,
    test: bool = False,
    device: str = "cpu",
    timeout: float | None = None,
) -> Evaluation:
    """Train one architecture and score it, as a search would.

    The same call gives the same scores to the bit on the same machine.

    Args:
        architecture: an architecture of any space, its JSON text, or the name of a published one, e.g. "nasnet-a".
        protocol: the training protocol: a name, or a value of `get_protocol`.
        set: fields of the protocol to replace, e.g. {"epochs": 2}.
        seed: seed of initial weights, order and augmentation, >= 0.
        test: whether to score the test images, too; use it only for architectures that were chosen without them.
        device: "cpu", "cuda" or "cuda:1".
        timeout: seconds after which training ends without a score; None for never.

    Returns:
        Scores in [0, 1], counts, seconds and curves. Its `status` says "ok", or why there is no score.

    Raises:
        InputError: when the architecture, the protocol or the device cannot be used.
        MissingData: when the data's files are not there.

    Example:
        >>> import nasbench
        >>> space = nasbench.get_space("nasbench201")
        >>> cell = space.decode([3, 3, 3, 1, 1, 1])
        >>> scores = nasbench.evaluate(cell, set={"data": "fake:images=96,size=8,classes=3", "epochs": 1})
        >>> scores.status, 0 <= scores.val_acc <= 1
        ('ok', True)
    """
    from nasbench.training.evaluate import evaluate as train_and_score
    from nasbench.training.evaluation import Child

    chosen = get_protocol(protocol) if isinstance(protocol, str) else protocol
    chosen = overridden(chosen, set or {})
    if timeout is not None and not timeout > 0:
        raise InputError(f"timeout is in seconds, > 0, or None for never, got {timeout}")
    limit = float("inf") if timeout is None else timeout
    child = Child(architecture_of(architecture), chosen, seed, test=test, timeout_seconds=limit)
    return train_and_score(child, device)


def architecture_of(given: Architecture | str) -> Architecture:
    """Return the architecture that an argument names.

    Args:
        given: an architecture, its JSON text, or the name of a published one.

    Returns:
        The architecture.

    Raises:
        InputError: when the text is neither, or does not fit its space.
    """
    if isinstance(given, Architecture):
        return given
    from nasbench.spaces.genotypes import GENOTYPES
    from nasbench.tabular.named_networks import named_architecture

    if given in GENOTYPES:
        return named_architecture(given)
    if given.lstrip().startswith("{"):
        return from_json(given)
    raise InputError(f"no architecture {given!r}; allowed: its JSON, or one of {', '.join(GENOTYPES)}")


@dataclass(frozen=True, eq=False)
class Verification:
    """Result of training stored rows again.

    Args:
        table: one line per drawn row: run, stage, index, hash, seed, rule ("bits", or "tolerance" if equal bits cannot
            be expected), agrees, differences (text), made_elsewhere (text: how the machine that trained it differs).
        eligible: number of rows from which the sample was drawn.
        passed_over: number of rows that could not be drawn, by reason.
        tolerance: largest difference of accuracies that agrees under the rule "tolerance", as a fraction.
    """

    table: pd.DataFrame
    eligible: int
    passed_over: Mapping[str, int]
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether every row agrees with what is stored."""
        return bool(self.table["agrees"].all())

    def __repr__(self) -> str:
        bits = int((self.table["rule"] == "bits").sum())
        right = int(self.table["agrees"].sum())
        return f"<Verification: {right} of {len(self.table)} rows agree, {bits} of them checked to the bit>"

    def _repr_html_(self) -> str:
        from nasbench.api.html import card, facts, frame_html

        return card(facts({"verification": repr(self).strip("<>")}), frame_html(self.table))


def _checked(check: RowCheck) -> dict[str, Any]:
    return {
        **{name: check.row[name] for name in ("run", "stage", "index", "hash", "seed")},
        "rule": check.rule,
        "agrees": check.agrees,
        "differences": "; ".join(map(str, check.differences)),
        "made_elsewhere": "; ".join(check.elsewhere),
    }


def verify(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    sample: int = 20,
    *,
    seed: int = 0,
    device: str | None = None,
    tolerance: float | None = None,
    any_platform: bool = False,
) -> Verification:
    """Train a random sample of rows again from their stored protocol and seed, and compare. As `nasbench verify`.

    Args:
        paths: results files.
        sample: number of rows, >= 1.
        seed: seed of the drawing of rows, >= 0.
        device: "cpu", "cuda", ...; None for the kind that trained the row.
        tolerance: largest accepted difference of an accuracy if platform or versions differ, as a fraction; None for
            the default.
        any_platform: True to draw rows of other platforms also when the files have rows of this one.

    Returns:
        One checked row per drawn child, and the number of rows that agree.

    Raises:
        InputError: when an argument is out of range, or no row can be trained again.
        MissingResults, MissingData, StoreError: when files are not there, or cannot be read.

    Example:
        >>> import nasbench
        >>> nasbench.verify("first.h5", sample=2)
        <Verification: 2 of 2 rows agree, 2 of them checked to the bit>
    """
    import pandas as pd

    from nasbench.store.query import Results
    from nasbench.training.verify import check_rows, default_tolerance, draw_sample

    with Results(paths) as results:
        limit = default_tolerance(results) if tolerance is None else tolerance
        drawn = draw_sample(results, sample, seed, any_platform)
        table = pd.DataFrame([_checked(check) for check in check_rows(results, drawn.rows, device, limit)])
    return Verification(table, drawn.eligible, drawn.passed_over, limit)
