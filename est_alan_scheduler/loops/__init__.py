"""Loops that tick a registry: a thread, an event loop, a simulation."""
