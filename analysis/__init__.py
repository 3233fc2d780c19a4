"""Analysis of results files, without running anything: comparisons, curves, costs, Pareto fronts and drawings."""
