"""Predictors of scores, and growth of cells by them."""
