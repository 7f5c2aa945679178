"""Runs: from the start to the record."""
