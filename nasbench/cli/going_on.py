"""Commands that go on with interrupted searches, as a shell takes them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasbench.runners.search.config import SearchPlan


def resume_command(path: Path, plans: Iterable[SearchPlan]) -> str:
    """Write the command that resumes searches.

    Args:
        path: their results file.
        plans: the searches. Strategies in files are named in the command, because results files never make code run.

    Returns:
        The command, quoted for a shell: "nasbench resume a.h5 --strategy 'my ideas/mine.py:Mine'".
    """
    from nasbench.runners.strategies.source_files import source_of

    words = ["nasbench", "resume", str(path)]
    named: set[str] = set()
    for plan in plans:
        source = source_of(plan.kind) if plan.kind is not None else None
        if source is None:
            continue
        if source.reference not in named:
            named.add(source.reference)
            words += ["--strategy", source.reference]
        changed = plan.config.strategy_digest not in ("", source.digest)
        if changed and "--changed-strategy" not in words:
            words.append("--changed-strategy")
    return shlex.join(words)
