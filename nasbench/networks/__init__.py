"""Torch modules of architectures, and their parameters and multiply-adds in closed form."""
