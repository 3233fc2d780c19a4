"""Running suites from Python: `suite`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nasbench.api.run import Run
from nasbench.api.searching import run_with_callbacks
from nasbench.api.watching import CallbackLike, callbacks_of
from nasbench.errors import InputError
from nasbench.runners.suite import load_suite, plans_of

PathLike = str | os.PathLike[str]


def suite(
    name: PathLike,
    output: PathLike | None = None,
    *,
    jobs: int | None = None,
    executor: str | None = None,
    callbacks: Sequence[CallbackLike] | CallbackLike = (),
    progress: bool = True,
    cache: Sequence[PathLike] = (),
    take_over: bool = False,
) -> list[Run]:
    """Run a suite, which is a matrix of searches, into one results file. As `nasbench suite run`.

    Searches that are complete in the file are not run again.

    Args:
        name: a suite that ships, e.g. "default", or the path of a TOML file.
        output: results file; None for results/NAME.h5.
        jobs: searches at the same time, >= 1; None for the suite's. More than one needs worker processes and no
            callbacks.
        executor: "inline" (in this process), "local" (worker processes; a script then needs
            `if __name__ == "__main__":`) or "ray"; None for the suite's, which is "local" unless it says otherwise.
        callbacks: as for `search`.
        progress: as for `search`.
        cache: other results files whose scores may be reused.
        take_over: as for `search`.

    Returns:
        All runs of the suite, in its order.

    Raises:
        UnknownName, InputError, MissingData: one line that says what to correct; nothing is spent then.
        StoreError: when the file is damaged, locked by another process or cannot be written.
        KeyboardInterrupt: after the runs were marked as interrupted; the same call goes on.

    Example:
        >>> import nasbench
        >>> from pathlib import Path
        >>> text = '''
        ... [search]
        ... space = "nasnet:blocks=1"
        ... strategy = "random"
        ... budget = "2 children"
        ... set = {data = "fake:images=96,size=8,classes=3", epochs = 1}
        ... [matrix]
        ... seed = [0, 1]
        ... '''
        >>> _ = Path("mine.toml").write_text(text)
        >>> [run.seed for run in nasbench.suite("mine.toml", "mine.h5", executor="inline", progress=False)]
        [0, 1]
    """
    called = callbacks_of(callbacks)
    loaded = load_suite(os.fspath(name))
    if jobs is not None:
        if jobs < 1:
            raise InputError(f"jobs={jobs}: at least one search runs at a time")
        loaded = loaded.model_copy(update={"jobs": jobs})
    if executor is not None:
        if "executor" in loaded.matrix:
            raise InputError(f"the matrix of suite {loaded.name!r} names executors; leave executor={executor!r} out")
        loaded = loaded.model_copy(update={"search": {**loaded.search, "executor": executor}})
    if called and loaded.jobs > 1:
        raise InputError(
            f"callbacks see one search at a time: give jobs=1, not {loaded.jobs}, or leave the callbacks out"
        )
    path = Path(output) if output is not None else Path("results") / f"{loaded.name}.h5"
    return run_with_callbacks(path, plans_of(loaded.searches()), called, cache, loaded.jobs, progress, take_over)
