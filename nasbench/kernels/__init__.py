"""How the processor's kernels are chosen and checked."""
