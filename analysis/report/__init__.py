"""Report on a results file: what was run, what it found, what it cost, and how to reproduce it."""
