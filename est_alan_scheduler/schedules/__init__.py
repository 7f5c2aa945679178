"""Schedules: what the options of a task mean, as pure functions."""
