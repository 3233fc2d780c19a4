"""Style, labels and spacing of plots."""
