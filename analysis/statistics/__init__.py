"""Tests, ranks, regret, targets, correlations."""
