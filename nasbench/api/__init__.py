"""The functions that `nasbench` itself exports: what the command line does, from Python.

Nothing here is imported before it is used. See docs/api.md.
"""
