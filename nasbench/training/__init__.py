"""Train one child by its protocol: the loop, its steps and parts, evaluation, verification."""
