"""Checks that all backends share: names, ids, fields, schemas."""

import re
from collections.abc import Sequence

from est_alan_scheduler._support.errors import InvalidValueError, WrongStateError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.backends.rows import ASSIGNABLE, Assignment, Definition, is_storable
from est_alan_scheduler.fields.checks import near_miss

SCHEMA = 5
"""The version of the tables and keys that this code writes."""

FORMER_SCHEMAS = (2, 3, 4)
"""The versions that are brought up to date when a store is opened."""

LONGEST_ID = 2_000
"""Bytes of the id of a task: an entry of a PostgreSQL index has at most 2,704 bytes."""


def check_name(name: str) -> str:
    """Return the prefix of tables and keys; ValueError if it does not fit into the names of all stores."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z_][a-z0-9_]{0,39}", name):
        raise InvalidValueError(
            f"the name of a backend must be 1 to 40 of a-z, 0-9 and _, not beginning with a digit, got {name!r}"
        )
    return name


def check_ids(definitions: Sequence[Definition]) -> None:
    """Refuse ids that not every store can hold with ValueError."""
    for definition in definitions:
        if not is_storable(definition.id) or len(definition.id.encode()) > LONGEST_ID:
            raise InvalidValueError(
                f"the task id {short_repr(definition.id)} cannot be stored: it has a NUL, half a surrogate pair, "
                f"or more than {LONGEST_ID} bytes in UTF-8"
            )


def check_fields(assignments: Sequence[Assignment]) -> None:
    """Refuse fields that cannot be assigned by hand with ValueError."""
    for assignment in assignments:
        for name in assignment.fields:
            if name not in ASSIGNABLE:
                raise InvalidValueError(
                    f"{name!r} of task {assignment.id!r} cannot be assigned{near_miss(name, ASSIGNABLE)};"
                    f" assignable are: {', '.join(sorted(ASSIGNABLE))}"
                )


def check_upgrade(may_upgrade: bool, found: object, url: str) -> None:
    """Refuse to bring a store of a former schema up to date with RuntimeError, unless that is allowed."""
    if not may_upgrade:
        raise WrongStateError(
            f"{url} has schema {found} of a former version, and is left as it is: an observer upgrades no store, which"
            " would lock out instances of that version. Start the new version of the programs that run the tasks first,"
            " or open the store once without observe=True"
        )


def check_schema(found: object, url: str) -> None:
    """Refuse a store that another program, or a version with other tables, has written with RuntimeError."""
    if type(found) is not int:
        raise WrongStateError(
            f"{url} has schema {short_repr(found)}, which is no version: give the backend another name"
        )
    if found != SCHEMA:
        remedy = "upgrade it, or give" if found > SCHEMA else "earlier ones are not converted; give"
        raise WrongStateError(
            f"{url} has schema {found}, this version of est_alan_scheduler knows {SCHEMA}: {remedy} the backend another"
            " name"
        )
