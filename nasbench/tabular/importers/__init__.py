"""Importers of published results into results files: one module per format."""
