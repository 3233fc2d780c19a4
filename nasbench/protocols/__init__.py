"""Protocols: the settings with which children are trained and scored, and their fingerprints."""
