"""The `nasbench` command: the only place where spaces, runners and analyses meet."""
