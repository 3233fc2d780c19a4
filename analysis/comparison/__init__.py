"""Comparison of strategies: incumbents over the budget, learning curves, fairness checks, random search's claim."""
