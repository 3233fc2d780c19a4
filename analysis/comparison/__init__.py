"""Comparison of strategies: incumbents over the budget, learning curves, checks of comparability, claims."""
