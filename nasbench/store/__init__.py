"""Results files: the journal is the truth, HDF5 the form."""
