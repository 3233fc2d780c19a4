"""What a sample of runs says: intervals, tests of two samples, equivalence, power, and the words for it."""
