"""The form of results files: schema, rows, columns, chunks, HDF5."""
