"""The cluster: one registry among many on one backend."""
