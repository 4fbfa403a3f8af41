"""Tickets and websockets of sessions with guests, and what ends them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from django.test import Client
from websockets import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from agents.lab.shell import wait_until
from controlplane.audit.models import AuditEntry
from controlplane.compute.models import Instance
from controlplane.events import wakeups
from controlplane.identity.models import ApiToken, Membership
from controlplane.kernel import clock
from tests.stream.conftest import LIMIT_S, Process


def ask(token: str, path: str, body: dict[str, Any]) -> Any:
    answer = Client().post(
        f"/v1/projects/alpha/instances{path}",
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 201, answer.content
    return answer.json()


@contextmanager
def opened(process: Process, url: str, **more: Any) -> Iterator[ClientConnection]:
    address = f"ws://127.0.0.1:{process.port}{url}"
    with connect(address, open_timeout=LIMIT_S, close_timeout=1, proxy=None, **more) as socket:
        yield socket


def read(socket: ClientConnection, words: bytes) -> bytes:
    """Read until the words are there."""
    seen = b""
    while words not in seen:
        piece = socket.recv(LIMIT_S)
        assert isinstance(piece, bytes)
        seen += piece
    return seen


def end(socket: ClientConnection) -> tuple[int, str]:
    """Return the close code and its reason."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            socket.recv(LIMIT_S)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def audit_entries(noun: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Return verb and facts of the entries, once there are `count`."""
    rows = AuditEntry.objects.filter(verb__startswith=f"{noun}.").order_by("pk")
    wait_until(lambda: rows.count() == count, what=f"{count} audit entries")
    return [(row.verb, row.facts) for row in rows]


def expired(url: str) -> str:
    """Move the ticket past its expiry."""
    with redis.Redis.from_url(wakeups.redis_url()) as broker:
        broker.flushall()
    return url


def revoke() -> None:
    ApiToken.objects.update(revoked_at=clock.now())


def demote() -> None:
    Membership.objects.update(role="viewer")


def leave() -> None:
    Membership.objects.all().delete()


def delete() -> None:
    Instance.objects.update(state="deleted", node=None)


def forbid() -> None:
    Instance.objects.update(power_state="off")
