"""Super-networks: the weights that the children of one search share."""
