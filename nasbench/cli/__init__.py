"""The `nasbench` command: the only place where spaces, runners and analyses meet."""

from nasbench.cli.main import main

__all__ = ["main"]
