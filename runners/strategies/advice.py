"""Sentences on options and budgets with which a strategy is random search."""

from __future__ import annotations

from typing import Any, Final

from nasbench.runners.strategies.base import Strategy, StrategyConfig

ENOUGH_MOTION: Final = 0.05  # of a policy's parameters; they start within 0.08 to 0.1 of 0


def advice_on(kind: type[Strategy[Any]], config: StrategyConfig, children: float | None) -> str:
    """Ask a strategy for its sentence on its options, or else on a budget, if it is known how many children that pays for.

    Args:
        kind: the strategy's class.
        config: its options.
        children: children that the budget pays for; None if that is not known.

    Returns:
        A sentence; "" if there is nothing to say.
    """
    if remark := kind.remark(config):
        return remark
    return kind.advice(config, round(children)) if children is not None and children >= 1 else ""


def population_advice(strategy: str, config: StrategyConfig, children: int) -> str:
    """Say that a population as large as the budget is random search.

    Args:
        strategy: name of the strategy.
        config: its options, with a population.
        children: children that the budget pays for, >= 1.

    Returns:
        A sentence; "" for a smaller population.
    """
    population = int(getattr(config, "population", 0))
    if population < children:
        return ""
    return (
        f"{strategy}: all {children:,} children of the budget only fill the population of {population:,}, so this is random search; "
        f"take a smaller one, e.g. population={max(2, min(10, children // 4))}"
    )


def startup_advice(strategy: str, option: str, random: int, children: int) -> str:
    """Say that a budget which pays for random architectures alone is random search.

    Args:
        strategy: name of the strategy.
        option: the option that says how many come first.
        random: number of random architectures before the first model.
        children: children that the budget pays for, >= 1.

    Returns:
        A sentence; "" for fewer random architectures than children.
    """
    if random < children:
        return ""
    return (
        f"{strategy}: the first {random:,} architectures are drawn at random, so with a budget of {children:,} children this is random "
        f"search; take fewer, e.g. {option}={max(1, min(10, children // 4))}"
    )


def policy_advice(strategy: str, rate: float, batch: int, steps: int, children: int) -> str:
    """Say that a policy which hardly moves within the budget is random search.

    Args:
        strategy: name of the strategy.
        rate: learning rate of Adam.
        batch: children per update.
        steps: steps of Adam in an update.
        children: children that the budget pays for, >= 1.

    Returns:
        A sentence; "" where the parameters can move by 0.05 or more before the last child is drawn: about as far as
        half of the range in which they start.

    Source: ours. Adam moves a parameter by about its rate in each step.
    """
    updates = (children - 1) // batch
    if not updates:
        return (
            f"{strategy}: it learns after each {batch:,} children, so with a budget of {children:,} children it never does, and this is "
            "random search; take preset=auto, or a smaller batch"
        )
    if rate * steps * updates >= ENOUGH_MOTION:
        return ""
    return (
        f"{strategy}: its {updates:,} update{'s' if updates > 1 else ''} at the learning rate {rate:g} hardly move the policy with a budget of "
        f"{children:,} children, so this is nearly random search; take preset=auto, or a larger learning rate"
    )
