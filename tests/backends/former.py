"""A store as a former schema had it, with a task that lives, one that was removed, and a run of each."""

from typing import Any

from tests.backends.stores import Store

_TABLES = """
CREATE TABLE {name}_instances (owner {key} NOT NULL, since BIGINT NOT NULL, lease_until BIGINT NOT NULL,
    PRIMARY KEY (owner));
CREATE TABLE {name}_meta (id INTEGER NOT NULL, schema_version INTEGER NOT NULL, revision BIGINT NOT NULL,
    born BIGINT NOT NULL, {of_meta}paused BOOLEAN NOT NULL, PRIMARY KEY (id));
CREATE TABLE {name}_runs (task_id {key} NOT NULL, epoch BIGINT NOT NULL, owner {key} NOT NULL, attempt INTEGER NOT NULL,
    started BIGINT NOT NULL, status TEXT NOT NULL, late BOOLEAN NOT NULL, slot BIGINT, finished BIGINT, result TEXT,
    error TEXT, PRIMARY KEY (task_id, epoch));
CREATE INDEX ix_{name}_runs_started ON {name}_runs (started);
CREATE INDEX ix_{name}_runs_open ON {name}_runs (owner) WHERE finished IS NULL;
CREATE TABLE {name}_tasks (id {key} NOT NULL, revision BIGINT NOT NULL, removed BOOLEAN NOT NULL,
    paused BOOLEAN NOT NULL, version BIGINT NOT NULL, epoch BIGINT NOT NULL, {of_tasks}attempt INTEGER NOT NULL,
    misfires INTEGER NOT NULL, run_requested INTEGER NOT NULL, first_run_at BIGINT, last_run_at BIGINT,
    last_success_at BIGINT, retry_at BIGINT, misfired_at BIGINT, slot BIGINT, status TEXT NOT NULL, hash TEXT NOT NULL,
    definition TEXT NOT NULL, owner TEXT, token TEXT, consumed TEXT, error_message TEXT, result TEXT, PRIMARY KEY (id));
{indexes};
INSERT INTO {name}_meta (id, schema_version, revision, born, paused) VALUES (1, {schema}, 5, 100, false);
INSERT INTO {name}_tasks (id, revision, removed, paused, version, epoch, attempt, misfires, run_requested, status, hash,
    definition) VALUES
    ('a', 3, false, true, 6, 2, 1, 0, 0, 'success', 'hash of a', '{{"id": "a"}}'),
    ('gone', 5, true, false, 9, 7, 0, 0, 0, 'pending', '', '');
INSERT INTO {name}_runs (task_id, epoch, owner, attempt, started, status, late, finished) VALUES
    ('a', 2, 'me', 1, 50, 'success', false, 60), ('gone', 7, 'me', 1, 70, 'success', true, 80)
"""

_INDEXES = {
    2: "CREATE INDEX ix_{name}_tasks_revision ON {name}_tasks (revision)",
    3: """CREATE INDEX ix_{name}_tasks_list ON {name}_tasks (revision) WHERE removed <> true;
CREATE INDEX ix_{name}_tasks_removed ON {name}_tasks (revision) WHERE removed = true;
CREATE INDEX ix_{name}_tasks_kept ON {name}_tasks (kept_until) WHERE removed = true""",
}
_INDEXES[4] = _INDEXES[3]
_NUMBER = "BIGINT DEFAULT 0 NOT NULL, "
_BLANK = {"attempt": 0, "misfires": 0, "run_requested": 0, "paused": 0, "token": ""}
_RUN = {"slot": "", "attempt": 1, "owner": "me", "status": "success", "result": "", "error": ""}
_KEYS: dict[str, dict[str, Any]] = {
    "meta": {"revision": 5, "born": 100},
    "task:a": {
        **_BLANK,
        "removed": 0,
        "paused": 1,
        "version": 6,
        "epoch": 2,
        "attempt": 1,
        "status": "success",
        "definition": '{"id": "a"}',
        "hash": "hash of a",
    },
    "task:gone": {
        **_BLANK,
        "removed": 1,
        "version": 9,
        "epoch": 7,
        "status": "pending",
        "definition": "",
        "hash": "",
    },
    "run:a:2": {**_RUN, "started": 50, "finished": 60, "late": 0},
    "run:gone:7": {**_RUN, "started": 70, "finished": 80, "late": 1},
}
_SCORES: dict[str, dict[str, Any]] = {
    "runs:a": {"2": 2},
    "runs:gone": {"7": 7},
    "history": {f"a\0{2:016}": 50, f"gone\0{7:016}": 70},
}


_LISTS = {
    2: {"revisions": {"a": 3, "gone": 5}},
    3: {"revisions": {"a": 3}, "removed": {"gone": 5}, "kept": {"gone": 0}},
}
_LISTS[4] = _LISTS[3]


def write(store: Store, schema: int) -> None:
    """Write it into an empty store."""
    if store.kind == "redis":
        import redis

        with redis.Redis.from_url(store.url) as client:
            for key, fields in _KEYS.items():
                client.hset(f"{{{store.name}}}:{key}", mapping=fields)
            client.hset(f"{{{store.name}}}:meta", "schema", schema)
            for key, scores in {**_SCORES, **_LISTS[schema]}.items():
                client.zadd(f"{{{store.name}}}:{key}", scores)
        return
    from sqlalchemy import create_engine

    engine = create_engine(store.url)
    kind = "TEXT" if store.kind == "sqlite" else 'TEXT COLLATE "C"'
    with engine.begin() as connection:
        for statement in _statements(store.name, kind, schema):
            connection.exec_driver_sql(statement)
    engine.dispose()


def _statements(name: str, kind: str, schema: int) -> list[str]:
    of_meta = f"dropped_revision {_NUMBER}dropped_version {_NUMBER}" if schema >= 3 else ""
    of_tasks = f"kept_until {_NUMBER}" if schema >= 3 else ""
    of_tasks += f"runs {_NUMBER}consecutive_failures INTEGER DEFAULT 0 NOT NULL, run_arguments TEXT, " * (schema == 4)
    indexes = _INDEXES[schema].format(name=name)
    columns = {"of_meta": of_meta, "of_tasks": of_tasks, "indexes": indexes}
    return _TABLES.format(name=name, key=kind, schema=schema, **columns).split(";\n")
