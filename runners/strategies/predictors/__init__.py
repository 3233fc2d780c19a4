"""Predictors of scores, and the growth of cells that they rank."""
