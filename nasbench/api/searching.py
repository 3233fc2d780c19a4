"""Running searches from Python: `search` and `resume`."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

from nasbench.api.main_guard import require_main_guard
from nasbench.api.progress import progress_of
from nasbench.api.run import Run
from nasbench.api.strategies import StrategyLike, given_strategy
from nasbench.api.watching import CallbackLike, CallbackWatcher, callbacks_of
from nasbench.callbacks.base import Callback
from nasbench.data import load_data
from nasbench.data.announcing import Announcements
from nasbench.doctor.before_search import slow_here
from nasbench.errors import InputError
from nasbench.kernels.processor import processor_here
from nasbench.protocols.protocol import PROTOCOLS, Protocol, get_protocol, overridden, validated
from nasbench.runners.search.config import SearchConfig, SearchPlan, plan_new, with_source
from nasbench.runners.search.progress import Progress
from nasbench.runners.search.resuming import by_reused_scores, plans_to_resume
from nasbench.runners.signals import termination_as_interrupt
from nasbench.runners.strategies.advice import advice_on
from nasbench.runners.suite import run_plans
from nasbench.spaces import Space
from nasbench.store.writer import finish_packing

PathLike = str | os.PathLike[str]


def search(
    space: str | Space,
    strategy: StrategyLike,
    budget: str,
    output: PathLike | None = None,
    *,
    protocol: str | Protocol = "digits",
    set: Mapping[str, Any] | None = None,
    download: bool = False,
    options: Mapping[str, Any] | None = None,
    seed: int | None = None,
    callbacks: Sequence[CallbackLike] | CallbackLike = (),
    progress: bool = True,
    cache: Sequence[PathLike] = (),
    cached: Literal["charge", "free", "off"] = "charge",
    child_seeds: Literal["run", "child"] = "run",
    final: Literal["incumbents", "best", "none"] = "incumbents",
    final_seeds: int = 3,
    where_arch: str = "",
    warm_start: str = "",
    filter: str = "",
    keep_best: bool = False,
    checkpoint_gib: float = 4.0,
    stream: Literal["strategy", "seed"] = "strategy",
    timeout: float = 0.0,
    price: str = "",
    ordered: bool = False,
    executor: str = "inline",
    devices: str | Sequence[str] = "cpu",
    children_per_device: int = 1,
    runs_per_device: int = 1,
    retries: int = 1,
    grace_seconds: float = 60.0,
    address: str = "auto",
    gpus_per_child: float = 0.0,
    cpus_per_child: float = 1.0,
    memory_per_child: float = 0.0,
    accelerator: str = "",
    children_at_once: int = 0,
    take_over: bool = False,
) -> Run:
    """Search a space under a budget; every child goes into a results file. As `nasbench run`.

    The same call again continues an interrupted run, and returns at once when the run is complete.

    Args:
        space: text such as "nasnet:blocks=2", or a space.
        strategy: "evolution", "evolution:population=10", "mine.py:Mine" (a class in a file, whose digest is stored), a
            class, or an object (its class, options and seed are used).
            A class that is not registered is stored by its path, e.g. `__main__:Mine`, and can be resumed only by
            `nasbench.resume(..., strategy=Mine)`.
        budget: "20 children", "2 gpu-hours", "3 usd", or wall time: "10 min".
        output: results file; None for results/SPACE-STRATEGY.h5.
        protocol: how children are trained: a name, or a value of `get_protocol`.
        set: fields of the protocol to replace, e.g. {"epochs": 2, "data": "cifar10"}.
        download: whether to fetch cifar10 or cifar100 when they are not there.
        options: options of the strategy, by name.
        seed: search seed, >= 0; None for 0, or for the seed of a strategy object.
        callbacks: objects of subclasses of `nasbench.Callback`, or functions that are called with each finished child.
        progress: whether to show a bar (in terminals and notebooks) or lines.
        cache: other results files whose scores may be reused.
        cached: charge for a reused score: the cost of its training ("charge") or nothing ("free"); "off" reuses no
            scores.
        child_seeds: "run": all children have the run's seed as training seed; "child": each child has its own.
        final: children that are trained again after the search for a test score: each one that was the best so far,
            only the best one, or none.
        final_seeds: trainings of each of them, with seeds that the search did not use; 0 for one with the search's seed.
        where_arch: limits on the architectures that the strategy may propose, by closed-form counts at the protocol's
            scale, e.g. "params <= 100k and mult_adds <= 20M", or by latencies that are measured on this machine, e.g.
            "latency <= 5 ms"; "" for none.
        warm_start: a zero-cost score by which a pool of random architectures is ranked, whose best come in place of the
            strategy's first random ones, e.g. "zero_cost:synflow,candidates=100,children=10"; "" for none.
        filter: a zero-cost score by which the worst architectures are never proposed, e.g.
            "zero_cost:synflow,keep=0.5"; "" for none.
        keep_best: whether the best network so far is kept as it was trained, in a model file beside the results file,
            for `nasbench.load_model`; not with Ray.
        checkpoint_gib: GiB of disk, >= 0, for the checkpoints of trainings that the strategy stops early, in a folder beside
            the results file while the run is going on; a child whose checkpoint does not fit is trained again.
        stream: "strategy": a strategy's random numbers come from the seed, its name and its options, so runs of different
            strategies are independent; "seed": from the seed alone, as in earlier versions.
        timeout: seconds after which a child ends without a score; 0 for never.
        price: USD per device-hour, or a CSV price table; "" for the shipped table.
        ordered: whether children are stored in the order of their proposals, which makes parallel runs repeatable.
        executor: "inline" (here, one child at a time), "local" (worker processes; a script then needs
            `if __name__ == "__main__":`) or "ray" (a cluster).
        devices: "cpu", "cuda", "cuda:0,cuda:1", or a sequence.
        children_per_device: children that share one device, >= 1.
        runs_per_device: searches that share the devices, >= 1.
        retries: number of new attempts for a child whose worker process died, >= 0.
        grace_seconds: seconds past its time-out after which a worker process is killed, >= 0.
        address: Ray: "auto", HOST:PORT of the head node, or "local".
        gpus_per_child: Ray: GPUs that a child holds, e.g. 0.25.
        cpus_per_child: Ray: processors that a child holds.
        memory_per_child: Ray: GiB that a child requests; 0 for no request.
        accelerator: Ray: type of GPU to request and to price, e.g. "A100".
        children_at_once: Ray: children requested at once; 0 for as many as the nodes hold.
        take_over: True to take the file from a process on another host that no longer exists.

    Returns:
        The run; its status is "interrupted" when a callback stopped it.

    Raises:
        UnknownName, InputError, MissingData: one line that says what to correct; nothing is spent then.
        StoreError: when the file is damaged, locked by another process or cannot be written.
        KeyboardInterrupt: after the run was marked as interrupted; the same call or `nasbench.resume` goes on.

    Example:
        >>> import nasbench
        >>> run = nasbench.search(
        ...     "nasnet:blocks=1", "random", "3 children", "first.h5",
        ...     set={"data": "fake:images=96,size=8,classes=3", "epochs": 1}, progress=False,
        ... )
        >>> run.status
        'complete'
    """
    given = given_strategy(strategy, options)
    spec = space.spec if isinstance(space, Space) else space
    if given.space is not None and given.space != spec:
        raise InputError(f"the strategy object searches {given.space!r}, not {spec!r}; make it for that space")
    if given.seed is not None and seed is not None and seed != given.seed:
        raise InputError(f"the strategy object has the seed {given.seed}, not {seed}; leave seed out")
    name, changes = _named_protocol(protocol, set or {})
    if download:
        load_data(get_protocol(name, changes).data, download=True)
    config = validated(
        SearchConfig,
        {
            "strategy": given.name,
            "options": dict(given.options),
            "space": spec,
            "protocol": name,
            "set": changes,
            "budget": budget,
            "seed": next(value for value in (seed, given.seed, 0) if value is not None),
            "child_seeds": child_seeds,
            "cached": cached,
            "final": final,
            "final_seeds": final_seeds,
            "where_arch": where_arch,
            "warm_start": warm_start,
            "filter": filter,
            "keep_best": keep_best,
            "checkpoint_gib": checkpoint_gib,
            "stream": stream,
            "timeout": timeout,
            "price": price,
            "ordered": ordered,
            "executor": executor,
            "devices": devices if isinstance(devices, str) else tuple(devices),
            "children_per_device": children_per_device,
            "runs_per_device": runs_per_device,
            "retries": retries,
            "grace_seconds": grace_seconds,
            "address": address,
            "gpus_per_child": gpus_per_child,
            "cpus_per_child": cpus_per_child,
            "memory_per_child": memory_per_child,
            "accelerator": accelerator,
            "children_at_once": children_at_once,
        },
        "nasbench.search",
    )
    plan = plan_new(with_source(config, given.kind), given.unregistered_kind)
    if advice := advice_on(plan.strategy_kind, plan.options, plan.budget.children):
        warnings.warn(advice, stacklevel=2)  # e.g. that with these options it is random search
    shown = given.name.rpartition(":")[2].rpartition(".")[2]
    path = Path(output) if output is not None else Path("results") / f"{plan.space.name}-{shown}.h5"
    (run,) = run_with_callbacks(path, [plan], callbacks_of(callbacks), cache, 1, progress, take_over)
    return run


def resume(
    path: PathLike,
    run: str | None = None,
    *,
    strategy: StrategyLike | None = None,
    changed_strategy: bool = False,
    devices: str | None = None,
    address: str | None = None,
    callbacks: Sequence[CallbackLike] | CallbackLike = (),
    progress: bool = True,
    jobs: int = 1,
    cache: Sequence[PathLike] | None = None,
    take_over: bool = False,
) -> list[Run]:
    """Continue the unfinished searches of a results file, as if they had never stopped. As `nasbench resume`.

    Where every run is complete, rows that could not be packed into the file, e.g. on a full disk, are packed now.

    Args:
        path: the results file.
        run: id of one run; None for all that are not complete. Runs that cannot go on are left out with a warning if
            others can.
        strategy: class of a run whose strategy is not registered, or its file: "mine.py:Mine".
        changed_strategy: whether a run may go on with another version of its strategy's file than it began with.
        devices: other devices than before, e.g. "cuda:0,cuda:1"; None for the same.
        address: address of another Ray cluster than before; None for the same.
        callbacks: as for `search`.
        progress: as for `search`.
        jobs: searches at the same time, >= 1; more than one needs runs with the executor "local" or "ray", and no
            callbacks.
        cache: other results files whose scores may be reused; None for those with which a run began.
        take_over: as for `search`.

    Returns:
        The continued runs; empty when every run was complete.

    Raises:
        InputError: when there is no such run, or none can go on: its strategy is not registered, its protocol, data or
            strategy's file has changed, or a file is gone whose scores it reused.
        MissingResults, StoreError: when there is no such file, or it cannot be read or written.
        KeyboardInterrupt: after the runs were marked as interrupted.

    Example:
        >>> import nasbench
        >>> nasbench.resume("first.h5", progress=False)
        []
    """
    called = callbacks_of(callbacks)
    if called and jobs > 1:
        raise InputError(f"callbacks see one search at a time: leave jobs={jobs} out, or the callbacks")
    kinds = {}
    if strategy is not None:
        given = given_strategy(strategy)
        kinds[given.name] = given.kind

    def left_out(line: str) -> None:
        warnings.warn(line, stacklevel=4)  # at the caller of resume

    plans = plans_to_resume(path, run, devices, address, kinds, changed_strategy, left_out)
    if not plans:
        finish_packing(path, take_over)
        return []
    runs: dict[str, Run] = {}
    for files, group in by_reused_scores(path, plans, cache):
        done = run_with_callbacks(Path(path), group, called, files, jobs, progress, take_over)
        runs.update({each.id: each for each in done})
    return [runs[plan.run] for plan in plans]


def run_with_callbacks(
    path: Path,
    plans: Sequence[SearchPlan],
    callbacks: Sequence[Callback],
    cache: Sequence[PathLike],
    jobs: int,
    progress: bool,
    take_over: bool,
) -> list[Run]:
    """Run planned searches into one file with callbacks, and warn of what trains slowly here.

    Args:
        path: the results file.
        plans: the searches, in order.
        callbacks: callbacks of every search.
        cache: other results files whose scores may be reused.
        jobs: searches at the same time, >= 1.
        progress: whether progress is shown.
        take_over: as for `search`.

    Returns:
        The runs, in the order of the plans.

    Raises:
        InputError: when worker processes are asked for by a script without its main guard, or the plans cannot run.
        KeyboardInterrupt: after the runs were marked as interrupted.
        StoreError: when the file is damaged, locked by another process or cannot be written.
    """
    if any(plan.config.executor == "local" for plan in plans):
        require_main_guard("executor='local'")
    trainings = [(plan.protocol.precision, plan.config.devices) for plan in plans if plan.config.executor != "ray"]
    for line in slow_here(trainings, processor_here(), os.environ.get("ONEDNN_MAX_CPU_ISA", "")):
        warnings.warn(line, stacklevel=3)  # at the caller of search or resume
    watchers: dict[str, CallbackWatcher] = {}

    def watcher_for(plan: SearchPlan) -> CallbackWatcher:
        watchers[plan.run] = CallbackWatcher(callbacks, plan, str(path))
        return watchers[plan.run]

    announced = Announcements()

    def begin(plan: SearchPlan) -> Progress:
        for line in announced.lines(plan.named_protocol) if progress else ():
            print(line, file=sys.stderr)
        return progress_of(plan.title, progress, plan.hours_unit)

    here = threading.current_thread() is threading.main_thread()  # only that one may handle signals
    with termination_as_interrupt() if here else nullcontext():
        plans = run_plans(
            path,
            plans,
            [os.fspath(file) for file in cache],
            jobs,
            begin,
            take_over,
            watcher_for,
        )
    return [Run(path, plan.run, watchers[plan.run].stop_reason if plan.run in watchers else "") for plan in plans]


def _named_protocol(protocol: str | Protocol, changes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of a protocol and the fields that differ from it, as results store them."""
    if isinstance(protocol, str):
        return protocol, dict(changes)
    name = protocol.name.removesuffix("+")
    if name not in PROTOCOLS:
        raise InputError(
            f"protocol {protocol.name!r} is not made of a named one: use nasbench.get_protocol(NAME, "
            f"{{field: value}}) with NAME one of {', '.join(PROTOCOLS)}"
        )
    named, ours = get_protocol(name).model_dump(), overridden(protocol, changes).model_dump()
    own = {field: value for field, value in ours.items() if field != "name" and value != named[field]}
    return name, {**own, **changes}
