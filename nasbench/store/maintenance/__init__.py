"""Commands on whole results files: check, repair, migrate, merge, export."""
