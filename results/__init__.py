"""Data that ships with the suite: what papers and libraries published, as CSV. `README.md` here describes the columns."""
