"""Chaos: processes share tasks while they are killed, paused and cut off, and a checker reads their history."""
