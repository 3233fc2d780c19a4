"""The `nasbench` command: the only package that uses spaces, runners and analyses together."""

from nasbench.cli.main import main

__all__ = ["main"]
