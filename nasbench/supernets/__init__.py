"""Super-networks: networks whose weights all architectures of a space share, and their training."""
