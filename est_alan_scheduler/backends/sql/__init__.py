"""Backends on SQL: SQLite and PostgreSQL."""
