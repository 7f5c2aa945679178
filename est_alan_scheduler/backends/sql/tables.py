"""The tables of the SQL backends."""

from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, TextClause, text

from est_alan_scheduler.backends.rows import RunRow, State
from est_alan_scheduler.task import TaskStatus

STATE = ", ".join(f"t.{name}" for name in State._fields)
"""The columns of a state, of the table that is called t."""
RUN = ", ".join(f"r.{name}" for name in RunRow._fields)
"""The columns of a run, of the table that is called r."""


def _literal(value: Any) -> str:
    if isinstance(value, TaskStatus):
        return f"'{value.value}'"
    return "NULL" if value is None else str(value).lower()


BLANK = ", ".join(f"{name} = {_literal(value)}" for name, value in State._field_defaults.items()) + ", token = NULL"
"""The assignments that reset a state to that of a new task, except for its epoch and version."""


class Tables:
    """Four tables, their names with a prefix."""

    def __init__(self, name: str) -> None:
        self.metadata = MetaData()
        self.meta, self.tasks = f"{name}_meta", f"{name}_tasks"
        self.runs, self.instances = f"{name}_runs", f"{name}_instances"
        Table(
            self.meta,
            self.metadata,
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("schema_version", Integer, nullable=False),
            Column("revision", BigInteger, nullable=False),
            Column("paused", Boolean, nullable=False),
            Column("born", BigInteger, nullable=False),
        )
        Table(
            self.tasks,
            self.metadata,
            Column("id", _key(), primary_key=True),
            Column("definition", Text, nullable=False),
            Column("hash", Text, nullable=False),
            Column("revision", BigInteger, nullable=False, index=True),
            Column("removed", Boolean, nullable=False),
            Column("version", BigInteger, nullable=False),
            Column("epoch", BigInteger, nullable=False),
            Column("status", Text, nullable=False),
            *(Column(name, BigInteger) for name in ("first_run_at", "last_run_at", "last_success_at", "retry_at")),
            Column("attempt", Integer, nullable=False),
            Column("result", Text),
            Column("error_message", Text),
            Column("misfires", Integer, nullable=False),
            Column("misfired_at", BigInteger),
            Column("paused", Boolean, nullable=False),
            Column("run_requested", Integer, nullable=False),
            Column("owner", Text),
            Column("token", Text),
            Column("consumed", Text),
            Column("slot", BigInteger),
        )
        runs = Table(
            self.runs,
            self.metadata,
            Column("task_id", _key(), primary_key=True),
            Column("epoch", BigInteger, primary_key=True, autoincrement=False),
            Column("slot", BigInteger),
            Column("attempt", Integer, nullable=False),
            Column("owner", _key(), nullable=False),
            Column("started", BigInteger, nullable=False),
            Column("finished", BigInteger),
            Column("status", Text, nullable=False),
            Column("result", Text),
            Column("error", Text),
            Column("late", Boolean, nullable=False),
            sqlite_with_rowid=False,
        )
        Index(f"ix_{self.runs}_started", runs.c.started)
        is_open: Any = runs.c.finished.is_(None)
        Index(f"ix_{self.runs}_open", runs.c.owner, postgresql_where=is_open, sqlite_where=is_open)
        Table(
            self.instances,
            self.metadata,
            Column("owner", _key(), primary_key=True),
            Column("since", BigInteger, nullable=False),
            Column("lease_until", BigInteger, nullable=False),
        )


def _key() -> Text:
    """Return the type of ids: compared byte by byte in every database, whatever its language."""
    return Text().with_variant(Text(collation="C"), "postgresql")


@lru_cache(maxsize=256)
def sql(statement: str) -> TextClause:
    """Return a statement, parsed once."""
    return text(statement)
