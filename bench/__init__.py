"""Benchmarks. Run from the repository's root: `python -m bench`."""
