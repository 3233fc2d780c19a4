"""Comparisons of strategies on a benchmark suite, and their pages."""
