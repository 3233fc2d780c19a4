"""One page that shows a results file to a person: what was run, what it found, what it cost, and how to make it again."""
