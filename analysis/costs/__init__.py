"""Costs of searches: by category, on other devices, as published."""
