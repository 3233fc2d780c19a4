"""Pareto fronts, hypervolumes and attainment."""
