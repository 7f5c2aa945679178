"""Phrases of the sentences of the library in other languages."""
