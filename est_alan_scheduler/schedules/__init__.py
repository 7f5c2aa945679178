"""Schedules: the meaning of a task's options, as pure functions."""
