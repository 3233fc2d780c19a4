"""Searches of a complete table on a simulated clock."""
