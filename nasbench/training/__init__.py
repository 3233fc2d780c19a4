"""Train one child as its protocol says: the loop, its steps and parts, evaluation, verification."""
