"""Surrogate tables: ensembles of trees that predict scores and costs in spaces that cannot be enumerated."""
