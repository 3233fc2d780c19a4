"""One search: configuration, budget, loop, rows, progress."""
