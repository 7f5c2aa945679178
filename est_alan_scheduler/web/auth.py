"""Authentication: who may read, and who may manage."""

from enum import IntEnum


class Role(IntEnum):
    """What a caller may do; a higher role may do what a lower one may."""

    READ = 1
    """Look at everything."""
    MANAGE = 2
    """Change, pause, run and remove tasks as well."""
