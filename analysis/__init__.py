"""Read results, never run anything: comparisons, curves, costs, Pareto fronts and pictures."""
