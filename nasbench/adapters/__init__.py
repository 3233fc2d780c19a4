"""Complete tables for other libraries: an objective of Optuna, a blackbox of Syne Tune."""
