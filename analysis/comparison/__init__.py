"""Compare strategies: incumbents over the budget, curves, checks, claims."""
