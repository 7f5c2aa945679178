"""Indexes of the agenda: entries by due moment, dependents, stand-ins, tasks without a schedule."""
