"""Checks of this machine: each reports one property, and a fault with its remedy."""
