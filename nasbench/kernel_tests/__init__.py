"""The self-test of kernels: layers of all shapes, forward and backward, against a float64 reference."""
