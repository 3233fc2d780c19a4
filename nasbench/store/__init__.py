"""Results files: new rows are appended to a journal, which is packed into an HDF5 file."""
