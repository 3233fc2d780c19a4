"""Choice and checks of the processor's kernels."""
