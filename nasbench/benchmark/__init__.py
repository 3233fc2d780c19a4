"""The standard benchmark: its frozen suites of tasks, and the form of runs on them."""
