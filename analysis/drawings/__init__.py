"""Drawings of architectures, networks and the search loop; figures of the lecture notes."""
