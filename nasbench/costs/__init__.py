"""Prices and speeds of devices, with dates and sources."""
