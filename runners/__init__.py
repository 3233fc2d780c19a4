"""Run searches: strategies, executors, the search loop with its budget and ledger, replays and suites of searches."""
