"""`python -m nasbench`: the command line."""

from nasbench.cli.main import main

main()
