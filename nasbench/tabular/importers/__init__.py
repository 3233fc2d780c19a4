"""Results of others as rows like any other: one file a format."""
