"""Benchmarks against the peers and against a floor: `python -m tests.benchmarks`, from the root of the repository."""
