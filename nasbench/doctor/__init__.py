"""What this machine is, and whether the suite will work on it: checks that find, each in its own words, what is wrong and what to do."""
