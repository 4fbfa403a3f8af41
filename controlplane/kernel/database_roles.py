"""What each process may read and write in the database. The owner of the schema is another role, as which migrations
run alone: no process may change the schema, empty a table, or switch a trigger off.

Whoever has no role of its own (a demo, tests) is the owner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

PREFIX = "andromede_"


@dataclass(frozen=True)
class Rights:
    """Patterns of tables' names. What is written is read as well."""

    writes: tuple[str, ...]
    reads: tuple[str, ...] = ("*",)
    hidden: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def may_read(self, table: str) -> bool:
        return self.may_write(table) or (_is_in(table, self.reads) and not _is_in(table, self.hidden))

    def may_write(self, table: str) -> bool:
        return _is_in(table, self.writes) and not _is_in(table, self.kept)


ROLES: Mapping[str, Rights] = {
    "web": Rights(writes=("*",)),
    "stream": Rights(writes=("*",)),
    "worker": Rights(writes=("*",)),
    "signer": Rights(writes=("*",)),
    "sentinel": Rights(writes=("*",)),
    "watcher": Rights(writes=("*",)),
    "webhooks": Rights(writes=("*",)),
    "manage": Rights(writes=("*",)),
}


def _is_in(table: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(table, pattern) for pattern in patterns)
