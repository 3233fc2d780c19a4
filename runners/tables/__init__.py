"""Build complete tables."""
