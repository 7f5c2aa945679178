"""Codecs: definitions, states and functions of tasks as a backend keeps them."""
