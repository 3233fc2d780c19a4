"""Sentences on options and budgets with which a strategy is random search."""

from __future__ import annotations

from nasbench.runners.strategies.base import StrategyConfig


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
