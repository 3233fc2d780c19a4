"""Spend a budget: strategies, the ledger, executors, the search loop and suites of searches."""
