"""BibTeX of the suite, of its tables, and of the papers that strategies and spaces follow."""
