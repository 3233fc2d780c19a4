"""Configuration of one search: the values that a user gives, and the plan to which they resolve."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from nasbench.costs.pricing import price_of, prices_from
from nasbench.costs.units import device_time
from nasbench.errors import InputError, blamed_on, did_you_mean
from nasbench.protocols.identity import NEVER, digest_of, identity_fields, unless
from nasbench.protocols.protocol import Protocol, check_kernels, get_protocol, validated
from nasbench.runners.executors import EXECUTORS, Executor, ExecutorOptions
from nasbench.runners.executors.base import options_of_others
from nasbench.runners.executors.devices import device_name
from nasbench.runners.search.budget import Budget, Ledger, with_usual_unit
from nasbench.runners.search.proxy import (
    PREFIX,
    ProxyFilter,
    WarmStart,
    parse_filter,
    parse_warm_start,
    require_kept,
    require_pool,
    text_of,
)
from nasbench.runners.strategies import STRATEGIES, Strategy, StrategyConfig
from nasbench.runners.strategies.objectives import COUNTED, ERROR
from nasbench.runners.strategies.presets import PRESET, with_preset
from nasbench.runners.strategies.proposals import within_training
from nasbench.runners.strategies.source_files import load_class, names_a_file, source_of
from nasbench.runners.strategies.streams import stream_seed
from nasbench.spaces import Architecture, Space, get_space
from nasbench.spaces.constrained import LATENCY, limits_latency, one_spelling, under_limits
from nasbench.spaces.proxies import guided
from nasbench.store.format.schema import TABLE
from nasbench.structures import Scale

if TYPE_CHECKING:
    from nasbench.measuring.limits import LatencyMeter
from nasbench.training.clocks import Clock, require_clock
from nasbench.zero_cost import zero_cost_score

SAME_ROWS: Final = ("local", "inline")
"""Executors that train the same children in the same order, with one child at a time, so that rows depend on neither."""


class SearchConfig(ExecutorOptions):
    """Configuration of one search, as given on the command line or in a suite's TOML file.

    A run's id is a digest of the fields that determine which children are trained or what they are charged. Fields that
    determine neither are marked `NEVER` (`nasbench.protocols.identity`). Protocol, data and space enter by their
    fingerprint and canonical text.
    """

    strategy: str = Field(description="name of the strategy, e.g. random")
    strategy_digest: str = Field(
        "",
        description="SHA-256 of the file of a strategy file.py:Class; empty: of no file, or where a user gives it, of any",
        json_schema_extra=unless(""),
    )
    options: dict[str, Any] = Field(default_factory=dict, description="options of the strategy")
    space: str = Field(description="space with its options, e.g. nasnet:blocks=3", json_schema_extra=NEVER)
    protocol: str = Field("digits", description="name of the training protocol", json_schema_extra=NEVER)
    set: dict[str, Any] = Field(default_factory=dict, description="protocol fields to replace", json_schema_extra=NEVER)
    budget: str = Field(description='e.g. "20 children", "1.5 gpu-hours", "3 usd", "10 min"')
    seed: int = Field(0, ge=0, description="seed of the search")
    child_seeds: Literal["run", "child"] = Field(
        "run",
        description="training seed of a child: run: the run's seed (an architecture is trained once, then cached); child: its own",
    )
    cached: Literal["charge", "free", "off"] = Field(
        "charge",
        description="charge: a cached child costs as much as its training did; free: nothing; off: the cache is not used",
    )
    final: Literal["incumbents", "best", "none"] = Field(
        "incumbents", description="children that are trained again after the search for their test score"
    )
    final_seeds: int = Field(
        3,
        ge=0,
        description="trainings of each such child, with seeds that the search did not use; 0: one, with the search's own seed",
        json_schema_extra=unless(0),
    )
    stream: Literal["strategy", "seed"] = Field(
        "strategy",
        description="random numbers of a strategy: strategy: from the seed, its name and options, so that runs of different "
        "strategies are independent; seed: from the seed alone, as in versions before 0.2",
        json_schema_extra=unless("seed"),
    )
    where_arch: str = Field(
        "",
        description='limits on the architectures that may be proposed, e.g. "params <= 100k and mult_adds <= 20M", by '
        'closed-form counts at the protocol\'s scale, or "latency <= 5 ms", measured on this machine before an architecture '
        "is proposed; empty: none",
        json_schema_extra=unless(""),
    )
    warm_start: str = Field(
        "",
        description="zero-cost score that ranks a pool of random architectures, whose best come in place of the strategy's first "
        "random ones, e.g. zero_cost:synflow,candidates=100,children=10; its time is charged to the searcher; empty: none",
        json_schema_extra=unless(""),
    )
    filter: str = Field(
        "",
        description="zero-cost score by which the worst architectures are never proposed, e.g. zero_cost:synflow,keep=0.5; its time "
        "is charged to the searcher; empty: none",
        json_schema_extra=unless(""),
    )
    keep_best: bool = Field(
        False,
        description="the network of the incumbent is kept in a model file beside the results file, as it changes",
        json_schema_extra=NEVER,
    )
    checkpoint_gib: float = Field(
        4.0,
        ge=0,
        description="GiB of disk for the checkpoints of trainings that stop early; the oldest are removed first, and a child "
        "that continues one of those trains from the start",
        json_schema_extra=NEVER,
    )
    clock: Clock = Field(
        "held",
        description="seconds of a child: held: for which it held its device; processor: that the device computed, only in "
        "tables",
        json_schema_extra=NEVER,
    )
    timeout: float = Field(0.0, ge=0, description="seconds after which a child ends as timed_out (0: never)")
    price: str = Field(
        "",
        description="USD per device-hour, or a CSV price table; empty: the shipped table, by the device's name",
        json_schema_extra=NEVER,
    )
    ordered: bool = Field(
        False,
        description="children are committed in the order of the proposals, as in a sequential run; otherwise as they finish",
        json_schema_extra=unless(False),
    )
    executor: str = Field(
        "inline", description="inline (one child at a time), local (worker processes) or ray (a cluster)"
    )

    @model_validator(mode="before")
    @classmethod
    def _named_settings(cls, given: Any) -> Any:
        """Replace the option `preset` by what it stands for, so that a run is stored with every setting."""
        options = given.get("options") if isinstance(given, dict) else None
        if not isinstance(options, Mapping) or PRESET not in options:
            return given
        kind = STRATEGIES.get(given.get("strategy", ""))
        budget = Budget.parse(str(given.get("budget", "")))
        fields = given.get("set") if isinstance(given.get("set"), Mapping) else None
        epochs = get_protocol(str(given.get("protocol", "digits")), fields).epochs
        space = str(given.get("space", ""))
        return {**given, "options": with_preset(kind, options, budget.children, epochs, space)}

    @field_validator("budget")
    @classmethod
    def _usual_unit(cls, text: str) -> str:
        """Store one spelling of device time, so that both spellings have the same run id."""
        return with_usual_unit(text)

    @field_validator("where_arch")
    @classmethod
    def _one_spelling(cls, text: str) -> str:
        """Store one spelling of equal conditions, so that they have the same run id."""
        return one_spelling(text)

    @field_validator("warm_start")
    @classmethod
    def _one_warm_start(cls, text: str) -> str:
        return text_of(parse_warm_start(text))

    @field_validator("filter")
    @classmethod
    def _one_filter(cls, text: str) -> str:
        return text_of(parse_filter(text))

    @property
    def timeout_seconds(self) -> float:
        """Seconds after which a child ends as "timed_out"; inf for never."""
        return self.timeout or math.inf

    @property
    def executor_options(self) -> ExecutorOptions:
        """The fields that say where children are trained."""
        return ExecutorOptions.model_validate({name: getattr(self, name) for name in ExecutorOptions.model_fields})


@dataclass(frozen=True)
class Command:
    """What the command that runs a search adds to its configuration. It takes no part in the run's id.

    Args:
        jobs: searches at the same time of the command for which `runs_per_device` was given, >= 1; 0: not known yet.
        runs_at_once: searches that share the devices now, >= 1; 0: as many as `runs_per_device` says.
        cache_files: other results files whose scores the run might reuse when it began, as absolute paths.
        reuses_others: whether scores of other runs in the results file may be reused.
    """

    jobs: int = 0
    runs_at_once: int = 0
    cache_files: tuple[str, ...] = ()
    reuses_others: bool = True


@dataclass(frozen=True)
class SearchPlan:
    """A configuration with every name resolved and every value checked.

    Making one reads the data but trains nothing.

    Args:
        config: the configuration that was resolved.
        space: the space to search.
        protocol: the protocol of the children.
        data: name of the data set.
        data_digest: digest of its images and labels.
        fingerprint: fingerprint of the scores.
        scale: size of the networks and of their images.
        budget: limit of the search.
        usd_per_hour: price of one device-hour, >= 0.
        run: id of the run, 12 hexadecimal digits.
        kind: class of the strategy, if it is in no registry; else None.
        command: what the command that runs the search adds.
    """

    config: SearchConfig
    space: Space
    protocol: Protocol
    data: str
    data_digest: str
    fingerprint: str
    scale: Scale
    budget: Budget
    usd_per_hour: float
    run: str
    kind: type[Strategy[Any]] | None = None
    """The strategy's class where it is in no registry."""
    command: Command = Command()

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids under which files hold this search, that of a new run first.

        The executor takes part in the digest, but rows do not depend on whether children train in this process or in
        worker processes. A new run gets the id of worker processes in both cases; earlier versions stored searches in
        this process under an id of their own.
        """
        if self.config.executor not in SAME_ROWS:
            return (self.run,)
        configs = (self.config.model_copy(update={"executor": name}) for name in SAME_ROWS)
        return tuple(_run_id(config, self.space, self.fingerprint) for config in configs)

    @property
    def named_protocol(self) -> Protocol:
        """The protocol as the configuration names it, before fields are chosen by the size of the data."""
        return get_protocol(self.config.protocol, self.config.set)

    def as_new(self) -> SearchPlan:
        """Return the plan with the id of a new run.

        Raises:
            InputError: when its warm start has fewer candidates than children, or its filter keeps none, which stored runs
                may have.
        """
        require_pool(parse_warm_start(self.config.warm_start))
        require_kept(parse_filter(self.config.filter))
        plan = self._with_budget(self.budget.text)
        return replace(plan, run=plan.ids[0])

    def _with_budget(self, text: str) -> SearchPlan:
        """Return the plan with another spelling of its budget in its configuration, which takes part in the id."""
        return replace(self, config=self.config.model_copy(update={"budget": text}))

    def as_stored(self, stored: Collection[str]) -> SearchPlan:
        """Return the plan with the id under which a file holds its search, or unchanged if the file does not.

        Earlier versions stored the budget as it was given, and each spelling of it had an id of its own.

        Args:
            stored: ids of the file's runs.

        Returns:
            This plan with the stored id, or this plan unchanged.
        """
        if self.run in stored or not stored:
            return self
        for text in dict.fromkeys([self.config.budget, *self.budget.spellings]):
            plan = self._with_budget(text)
            for run in plan.ids:
                if run in stored:
                    return replace(plan, run=run)
        return self

    def among(self, jobs: int, at_once: int) -> SearchPlan:
        """Return the plan as one of searches that run at the same time.

        The configuration says how many searches share the devices while the command runs `jobs` of them; fewer share
        them where fewer are left to do, or a resumed run goes on with other jobs.

        Args:
            jobs: searches at the same time that the command allows, >= 1.
            at_once: searches that it runs at the same time, in [1, jobs].

        Returns:
            The plan; its executor charges the share of a device that a child then holds.
        """
        given = self.command.jobs or jobs
        runs = max(1, round(self.config.runs_per_device * at_once / given))
        return replace(self, command=replace(self.command, jobs=given, runs_at_once=runs))

    def reusing(self, files: Iterable[str | os.PathLike[str]]) -> SearchPlan:
        """Return the plan as one of a command that reuses the scores of other results files.

        Args:
            files: the files, or patterns of them.

        Returns:
            The plan; its run notes where the files are, unless it uses no cache.
        """
        places = [] if self.config.cached == "off" else [os.path.abspath(file) for file in files]
        return replace(self, command=replace(self.command, cache_files=tuple(places)))

    @property
    def title(self) -> str:
        """Name of the search in its progress display, e.g. "evolution seed 0"."""
        return f"{self.config.strategy} seed {self.config.seed}"

    @property
    def hours_unit(self) -> str:
        """Name of the unit of device time on the devices of the search: "GPU-hours" or "device-hours"."""
        return device_time(["cuda"] if self.config.gpus_per_child > 0 else self.config.devices)

    @cached_property
    def searched(self) -> Space:
        """The space as the strategy sees it, but for a warm start: a view where there are limits or a filter.

        With `where_arch`, only fitting architectures occur in it.
        """
        limited = (
            under_limits(self.space, self.config.where_arch, self.scale, self.latency_meter)
            if self.config.where_arch
            else self.space
        )
        return self._guided(limited, parse_filter(self.config.filter))

    def _guided(self, space: Space, guide: WarmStart | ProxyFilter | None) -> Space:
        """Return a view of a space with a warm start or a filter; the space itself without one."""
        if guide is None:
            return space
        options = {name: value for name, value in vars(guide).items() if name != "score"}
        score = partial(self._score, guide.score)
        return guided(space, f"{PREFIX}{guide.score}", score, seed=self.config.seed, **options)

    def _score(self, score: str, architecture: Architecture) -> float:
        """Score an untrained network by the protocol of the run."""
        return zero_cost_score(architecture, score, self.protocol, self.config.seed, self.config.devices[0]).value

    @cached_property
    def latency_meter(self) -> LatencyMeter | None:
        """Measures architectures, if `where_arch` or an objective of the strategy is the latency; else None."""
        if not limits_latency(self.config.where_arch) and LATENCY not in self.options.measured:
            return None
        from nasbench.measuring.limits import LatencyMeter

        about = {"source": self.latency_source, "protocol": self.protocol.name, "data": self.data}
        return LatencyMeter(self.scale, self.config.devices[0], self.protocol.threads, about)

    @property
    def latency_source(self) -> str:
        """Source of the measurements that this run stores, by which a resumed run finds them."""
        return f"nasbench run {self.run}"

    @property
    def strategy_kind(self) -> type[Strategy[Any]]:
        """The strategy's class."""
        return self.kind or STRATEGIES.get(self.config.strategy)

    @cached_property
    def options(self) -> StrategyConfig:
        """The strategy's options, checked."""
        kind = self.strategy_kind
        given = {**self._of_the_run(kind.config_type), **self.config.options}
        options = validated(kind.config_type, given, f"options of strategy {self.config.strategy!r}")
        if "protocol" not in self.config.options:
            options = options.within_run(self.named_protocol)
        return within_training(options, self.config.strategy, self.protocol.epochs) if kind.asks_epochs else options

    def strategy(self) -> Strategy[Any]:
        """Make a fresh strategy, in the state before the first `ask`."""
        kind, options = self.strategy_kind, self.options
        space = self._guided(self.searched, parse_warm_start(self.config.warm_start))
        with blamed_on(f"strategy {self.config.strategy!r}, its start"):
            return kind(space, self._stream_seed(options), options)

    def _stream_seed(self, options: StrategyConfig) -> int:
        """Seed of the strategy's random numbers. Options that it takes from the run do not enter."""
        if self.config.stream == "seed":
            return self.config.seed
        given = options.model_dump(mode="json", include=set(self.config.options), exclude_defaults=True)
        return stream_seed(self.config.strategy, given, self.config.seed)

    def _of_the_run(self, config_type: type[StrategyConfig]) -> dict[str, Any]:
        """Options by which a strategy that trains or scores networks itself follows the run by default.

        The other fields of the run's protocol reach it by `StrategyConfig.within_run`.
        """
        values = {
            "protocol": self.config.protocol,
            "data": self.protocol.data,
            "cells": self.protocol.cells,
            "filters": self.protocol.filters,
            "device": self.config.devices[0],
            "max_epochs": self.protocol.epochs,
        }
        return {name: value for name, value in values.items() if name in config_type.model_fields}

    def executor(self) -> Executor:
        """Make the executor; no worker is started yet."""
        options = self.config.executor_options
        if self.command.runs_at_once:
            options = options.model_copy(update={"runs_per_device": self.command.runs_at_once})
        return EXECUTORS.get(self.config.executor)(options)

    def ledger(self) -> Ledger:
        """Make an empty ledger for the plan's budget."""
        return Ledger(self.budget, self.usd_per_hour)

    def child_seed(self, index: int) -> int:
        """Derive the training seed of a child.

        Args:
            index: number of the proposal, from 0.

        Returns:
            The run's seed with `child_seeds = "run"`; else a 32-bit number that depends on the run's seed and on
            `index`.
        """
        if self.config.child_seeds == "run":
            return self.config.seed
        digest = hashlib.blake2b(f"{self.config.seed}/{index}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big")

    def final_seeds(self, search_seed: int) -> list[int]:
        """Training seeds of a child's trainings after the search.

        They are equal for all children of a run, and differ between runs of different strategies with the same seed.

        Args:
            search_seed: training seed of the child in the search.

        Returns:
            `config.final_seeds` seeds that no child of the search has; the search's own if that is 0.
        """
        if self.config.final_seeds == 0:
            return [search_seed]
        text = f"final/{self.config.strategy}/{json.dumps(self.config.options, sort_keys=True)}/{self.config.seed}"
        # From 2**32 on, where no seed of a search lies: seeds of children have 32 bits.
        digests = [
            hashlib.blake2b(f"{text}/{n}".encode(), digest_size=4).digest() for n in range(self.config.final_seeds)
        ]
        return [2**32 + int.from_bytes(digest, "big") for digest in digests]


def plan_search(
    config: SearchConfig, network_version: int | None = None, kind: type[Strategy[Any]] | None = None
) -> SearchPlan:
    """Resolve and check a configuration.

    Args:
        config: the user's values.
        network_version: version of the space's networks; None for the latest.
        kind: the strategy's class; None for the registered one of that name.

    Returns:
        The plan. Its `run` is a digest of everything that determines which children are trained and what they are
        charged.

    Raises:
        UnknownName: when a name (space, strategy, protocol) does not exist.
        InputError: when a value is invalid; the message says what to correct.
        NothingFits: when almost no architecture satisfies `where_arch`.
        MissingData: when the data set is not on this machine.
    """
    if kind is None:
        STRATEGIES.get(config.strategy)  # report a wrong name before reading the data
    plan = replace(resolve(config, network_version), kind=kind)
    _require_measurable(plan)
    plan.strategy()  # refuses unsuitable options, and spaces that the strategy cannot search
    _require_random_beginning(plan)
    if plan.latency_meter is not None or config.warm_start or config.filter:
        return replace(plan)  # forgets what was measured here: the search measures again, and is charged for it
    if config.where_arch:
        plan.searched.random(np.random.default_rng(0))  # refuses limits that almost nothing satisfies
    return plan


def _require_random_beginning(plan: SearchPlan) -> None:
    """Refuse a warm start of a strategy that does not begin with random architectures."""
    if plan.config.warm_start and not plan.strategy_kind.begins_at_random:
        raise InputError(
            f"strategy {plan.config.strategy!r} does not begin with random architectures that a warm start could replace; leave out "
            "warm_start, or take filter"
        )


def _require_measurable(plan: SearchPlan) -> None:
    """Refuse objectives of a strategy that a search cannot measure."""
    measured = plan.options.measured
    foreign = [name for name in measured if name != LATENCY]
    if foreign:
        known = (ERROR, *COUNTED, LATENCY)
        hint = did_you_mean(foreign[0], known)
        raise InputError(
            f"strategy {plan.config.strategy!r}: a search measures latency (batch 1, eager mode) and no {', '.join(foreign)}{hint}; "
            f"allowed: {', '.join(known)}; a replay takes any measured quantity of a table: nasbench replay --measurements FILE"
        )
    if measured and plan.config.executor not in SAME_ROWS:
        raise InputError(
            f"strategy {plan.config.strategy!r}: latencies are measured on this machine, where executor "
            f"{plan.config.executor!r} does not train; use {' or '.join(sorted(SAME_ROWS))}"
        )


def plan_new(config: SearchConfig, kind: type[Strategy[Any]] | None = None) -> SearchPlan:
    """Do the same as `plan_search` for a search that begins: also refuse values that only earlier versions took.

    A stored search is planned without these checks: it goes on, and is charged, as it began.

    Args:
        config: the user's values.
        kind: see `plan_search`.

    Returns:
        The plan, with the id of a new run.

    Raises:
        UnknownName, InputError, NothingFits, MissingData: see `plan_search`; also when an option is for another executor,
            or a number is infinite.
    """
    require_finite(config)
    EXECUTORS.get(config.executor)  # report a wrong name first
    foreign = options_of_others(config.executor, config)
    if foreign:
        name, owner = next(iter(foreign.items()))
        raise InputError(
            f"{name}={getattr(config, name)!r} is only for executor {owner!r}, and the executor is {config.executor!r}: leave "
            f"{', '.join(foreign)} out, or take executor {owner!r}"
        )
    return plan_search(config, kind=kind).as_new()


def require_finite(config: SearchConfig) -> None:
    """Refuse numbers that have no JSON form, so that the stored configuration would not be the one that was given.

    Args:
        config: values as given.

    Raises:
        InputError: when one of them is infinite or no number.
    """
    for name, value in {**dict(config), **config.options}.items():
        if isinstance(value, float) and not math.isfinite(value):
            never = ", or 0 for never" if name == "timeout" else ""
            raise InputError(
                f"{name}={value} cannot be stored, so that the run could not be resumed: give a finite number{never}"
            )


def plan_given(config: SearchConfig) -> SearchPlan:
    """Do the same as `plan_new` with a strategy as a user names it, which may be a class in a file.

    Args:
        config: the user's values; `strategy` is a registered name or "file.py:Class", whose code runs.

    Returns:
        The plan. The configuration of a strategy in a file has the name of file and class without the folder, and the
        file's digest.

    Raises:
        UnknownName, InputError, NothingFits, MissingData: see `plan_new`; also when the file cannot be used, or is
            another one than the configuration's digest says.
    """
    if not names_a_file(config.strategy):
        return plan_new(config)
    kind = load_class(config.strategy, config.strategy_digest)
    return plan_new(with_source(config, kind), kind)


def with_source(config: SearchConfig, kind: type[Strategy[Any]]) -> SearchConfig:
    """Return a configuration with the name and the digest of a strategy's file.

    Args:
        config: the configuration.
        kind: the strategy's class.

    Returns:
        The configuration; the same one if the class was loaded from no file.
    """
    source = source_of(kind)
    if source is None:
        return config
    return config.model_copy(update={"strategy": source.strategy, "strategy_digest": source.digest})


def plan_stored(config: SearchConfig, run: str, kind: type[Strategy[Any]] | None = None) -> SearchPlan | None:
    """Resolve a stored configuration to the plan of its run, with the version of networks that the run used.

    Args:
        config: configuration from the results file.
        run: id of the run.
        kind: see `plan_search`.

    Returns:
        The plan with that id; None if the protocol or its data has changed since.

    Raises:
        UnknownName: when a name (space, strategy, protocol) does not exist.
        InputError: when a value is invalid; the message says what to correct.
        MissingData: when the data set is not on this machine.
    """
    for version in range(get_space(config.space).network_version, 0, -1):
        plan = plan_search(config, version, kind)
        if run in (plan.run, *plan.ids):
            return replace(plan, run=run)
    return None


def resolve(config: SearchConfig, network_version: int | None = None) -> SearchPlan:
    """Resolve everything except the strategy, which complete tables do not have.

    Args:
        config: the user's values.
        network_version: version of the space's networks; None for the latest.

    Returns:
        The plan, without a strategy's checks.

    Raises:
        UnknownName: when a name (space, strategy, protocol) does not exist.
        InputError: when a value is invalid; the message says what to correct.
        MissingData: when the data set is not on this machine.
    """
    from nasbench.data import load_data
    from nasbench.data.fitting import fitted, require_fit

    space = get_space(config.space)
    if not space.has_networks:
        raise InputError(
            f"space {space.spec!r} has no networks to train; search a complete table of it: nasbench replay"
        )
    if network_version is not None:
        space = space.with_networks(network_version)
    protocol = get_protocol(config.protocol, config.set)
    for device in config.devices if config.gpus_per_child == 0 else ("cuda",):
        check_kernels(protocol, device)
        require_clock(config.clock, device, protocol.threads)
    if config.clock != "held" and config.strategy != TABLE:
        raise InputError(
            f"clock {config.clock!r} is only for tables: a search is charged the time its devices are held"
        )
    if config.keep_best and config.executor not in SAME_ROWS:
        raise InputError(
            f"keep_best needs children on this machine (executor {' or '.join(SAME_ROWS)}), got {config.executor!r}; "
            "without it, nasbench train FILE:best trains the incumbent again, to the same bits on the same platform"
        )
    if limits_latency(config.where_arch) and config.executor not in SAME_ROWS:
        raise InputError(
            f"where_arch {config.where_arch!r}: latencies are measured on this machine, where executor "
            f"{config.executor!r} does not train; use {' or '.join(sorted(SAME_ROWS))}"
        )
    EXECUTORS.get(config.executor).check(config.executor_options)
    budget = Budget.parse(config.budget)
    usd_per_hour = _usd_per_hour(config)
    if budget.unit == "usd" and usd_per_hour == 0:
        raise InputError(f"budget {budget.given!r} never ends at 0 USD per hour: give --price, e.g. --price 0.10")
    dataset = load_data(protocol.data)
    protocol = fitted(protocol, dataset)
    require_fit(protocol, dataset)  # here already: a run that trains nothing leaves no results file
    fingerprint = protocol.fingerprint(dataset.digest, space.built_version)
    return SearchPlan(
        config=config,
        space=space,
        protocol=protocol,
        data=dataset.name,
        data_digest=dataset.digest,
        fingerprint=fingerprint,
        scale=protocol.scale(dataset.size, dataset.channels, len(dataset.classes)),
        budget=budget,
        usd_per_hour=usd_per_hour,
        run=_run_id(config, space, fingerprint),
    )


def _usd_per_hour(config: SearchConfig) -> float:
    prices = prices_from(config.price or None)
    if config.gpus_per_child == 0:
        return price_of(device_name(config.devices[0]), prices).usd
    try:
        return price_of(config.accelerator or "the cluster's GPUs", prices).usd
    except InputError as error:
        raise InputError(f"{error}; or say which GPU to ask for, e.g. --accelerator A100") from None


def _run_id(config: SearchConfig, space: Space, fingerprint: str) -> str:
    return digest_of({**identity_fields(config), "space": space.spec, "fingerprint": fingerprint}, 6)
