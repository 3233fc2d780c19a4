"""Protocols: how children are trained. Named ones, and the identity that results carry."""
