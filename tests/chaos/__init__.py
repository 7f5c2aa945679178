"""Chaos: processes that are killed, paused and cut off share tasks, and a checker reads what came of it."""
