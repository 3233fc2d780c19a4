"""What devices cost and how fast they are, with dates and sources."""
