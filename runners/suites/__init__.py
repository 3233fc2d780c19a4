"""TOML files of the suites that ship with the package."""
