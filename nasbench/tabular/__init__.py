"""Complete tables of a space, published figures, and results of others."""
