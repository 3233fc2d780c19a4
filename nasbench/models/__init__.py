"""Trained networks in files: training, loading, prediction, evaluation and export.

A model file is a safetensors file. Its tensors are the weights; its metadata has one JSON document that describes
architecture, protocol, data and scores, see `nasbench.models.description`. Reading one runs no code of its author.
"""
