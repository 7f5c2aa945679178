"""The tables of the SQL backends."""

from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, TextClause, text

from est_alan_scheduler.backends.clock import LATEST
from est_alan_scheduler.backends.rows import LARGEST, RunRow, State
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

TAKE_OVER = "ON CONFLICT (task_id, epoch) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in RunRow._fields[2:]
)
"""What a claim does with a run that has its epoch already: that of a task whose epoch was set back by hand."""

# Values of nonsense that a row may hold: PostgreSQL would refuse a statement that goes beyond the range of a column,
# and columns of SQLite hold any type. A text is larger than any number there.


def next_of(column: str) -> str:
    """Return the expression for a number that grows by one; one that is out of range stays as it is."""
    return f"CASE WHEN {column} < {LARGEST} THEN {column} + 1 ELSE {column} END"


def whole_or(column: str, other: str) -> str:
    """Return the expression for a number that every store counts with; `other` for any other value."""
    return (
        f"CASE WHEN {column} BETWEEN 0 AND {LARGEST} AND CAST({column} AS BIGINT) = {column} THEN {column}"
        f" ELSE {other} END"
    )


ARGUMENTS_LEFT = "CASE WHEN {attempt} > 1 OR {row}run_requested <> 0 THEN {row}run_arguments END"
"""What a claim leaves of the arguments of a requested run; to be formatted."""


def lives(column: str, now: str) -> str:
    """Return the condition that a lease has not expired."""
    return f"({column} > {now} AND {column} <= {LATEST})"


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
            *_columns(Integer, "schema_version"),
            *_columns(BigInteger, "revision", "born"),
            *_columns(BigInteger, "dropped_revision", "dropped_version", default="0"),
            *_columns(Boolean, "paused"),
        )
        tasks = Table(
            self.tasks,
            self.metadata,
            Column("id", _key(), primary_key=True),
            *_columns(Boolean, "removed", "paused"),
            *_columns(BigInteger, "revision", "version", "epoch"),
            *_columns(BigInteger, "kept_until", "runs", default="0"),
            *_columns(Integer, "attempt", "misfires", "run_requested"),
            *_columns(Integer, "consecutive_failures", default="0"),
            *_columns(BigInteger, "first_run_at", "last_run_at", "last_success_at", "retry_at", nullable=True),
            *_columns(BigInteger, "misfired_at", "slot", nullable=True),
            *_columns(Text, "status", "hash", "definition"),
            *_columns(Text, "owner", "token", "consumed", "error_message", "result", "run_arguments", nullable=True),
        )
        # Each row is in one of the first two. A nonsensical value does not count as true.
        lives, is_removed = text("removed <> true"), text("removed = true")
        Index(f"ix_{self.tasks}_list", tasks.c.revision, postgresql_where=lives, sqlite_where=lives)
        Index(f"ix_{self.tasks}_removed", tasks.c.revision, postgresql_where=is_removed, sqlite_where=is_removed)
        Index(f"ix_{self.tasks}_kept", tasks.c.kept_until, postgresql_where=is_removed, sqlite_where=is_removed)
        runs = Table(
            self.runs,
            self.metadata,
            Column("task_id", _key(), primary_key=True),
            Column("epoch", BigInteger, primary_key=True, autoincrement=False),
            Column("owner", _key(), nullable=False),
            *_columns(Integer, "attempt"),
            *_columns(BigInteger, "started"),
            *_columns(Text, "status"),
            *_columns(Boolean, "late"),
            *_columns(BigInteger, "slot", "finished", nullable=True),
            *_columns(Text, "result", "error", nullable=True),
            sqlite_with_rowid=False,
        )
        # In the order of the history, because all runs that a tick starts have the same start. A claim writes to the
        # last one only, and the outcome of a run to the others.
        for name, columns, condition in (
            ("ended", ("started", "task_id", "epoch"), "finished IS NOT NULL"),
            ("failed", ("started", "task_id", "epoch"), "status = 'failed'"),
            ("open", ("owner",), "finished IS NULL"),
        ):
            indexed, where = [runs.c[column] for column in columns], text(condition)
            Index(f"ix_{self.runs}_{name}", *indexed, postgresql_where=where, sqlite_where=where)
        Table(
            self.instances,
            self.metadata,
            Column("owner", _key(), primary_key=True),
            *_columns(BigInteger, "since", "lease_until"),
        )


def _columns(
    kind: type[BigInteger | Boolean | Integer | Text], *names: str, nullable: bool = False, default: str | None = None
) -> list[Any]:
    return [Column(name, kind, nullable=nullable, server_default=default) for name in names]


def _key() -> Text:
    """Return the type of ids: compared byte by byte in every database, whatever its language."""
    return Text().with_variant(Text(collation="C"), "postgresql")


@lru_cache(maxsize=256)
def sql(statement: str) -> TextClause:
    """Return a statement, parsed once."""
    return text(statement)
