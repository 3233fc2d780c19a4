"""Torch modules of architectures, and closed forms of their parameters and multiply-adds, which need no torch."""
