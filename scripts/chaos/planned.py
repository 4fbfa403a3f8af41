"""Planned requests of users, and what a plan is made from."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from scripts.chaos.officer import Officer

# Who asks.
OWNER, OPERATOR, ATTESTOR = "owner", "operator", "attestor"


class Reader(Protocol):
    project: str
    officer: Officer

    def listed(self, path: str, *, by: str = OWNER) -> list[dict[str, Any]]: ...

    def get(self, path: str, *, by: str = OWNER, **query: str) -> Any:
        """Return the document; None if it does not exist."""

    def asked(self, path: str, body: dict[str, Any], *, by: str = OWNER) -> dict[str, Any] | None:
        """Return the answer to a POST that changes nothing; None: it was refused."""


@dataclass(frozen=True)
class Scene:
    """Resources as the user sees them, and the number of the act, for new names."""

    instances: list[dict[str, Any]]
    volumes: list[dict[str, Any]]
    reader: Reader
    number: int


@dataclass(frozen=True)
class PlannedRequest:
    """A request. `kind`: of the operation that it begins.

    `resource`: its subject, unless the answer names it; `then`: the state after the operation has succeeded, without
    later changes.
    """

    method: str
    path: str
    kind: str
    body: dict[str, Any] | None = None
    resource: str = ""
    name: str = ""
    by: str = OWNER
    then: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ActKind:
    """A kind of act. `weight`: its frequency, compared with the others. `plan`: returns None where no request fits."""

    weight: int
    plan: Callable[[Scene, random.Random], PlannedRequest | None]


def in_state(resources: Iterable[dict[str, Any]], *states: str) -> list[dict[str, Any]]:
    return [thing for thing in resources if thing["state"] in states]


def any_id(resources: Iterable[dict[str, Any]], dice: random.Random) -> str | None:
    ids = sorted(thing["id"] for thing in resources)
    return dice.choice(ids) if ids else None
