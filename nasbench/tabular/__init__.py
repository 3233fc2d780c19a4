"""Complete tables of a space, published figures, and importers of published tables."""
