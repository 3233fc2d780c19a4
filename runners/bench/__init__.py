"""Runs of strategies on the tasks of a benchmark suite: replays, reference runs, submissions."""
