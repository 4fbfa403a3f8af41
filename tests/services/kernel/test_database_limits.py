"""Limits on idle transactions, locks and statements of the database."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection

from agents.protocol import agent_pb2 as pb
from controlplane.nodes.models import Node
from controlplane.nodes.services import record_alive
from controlplane.watcher.batches import BatchWriter
from scripts.polling import wait_until
from tests.api.client import Caller
from tests.api.tokens import make_token
from tests.limits import PATIENCE_S
from tests.world import make_node

pytestmark = pytest.mark.django_db(transaction=True)


def session() -> "psycopg.Connection[tuple[object, ...]]":
    """Connect as psql does, without session settings."""
    own = connection.settings_dict
    return psycopg.connect(dbname=own["NAME"], user=own["USER"], host=own["HOST"], port=own["PORT"])


@contextmanager
def forgotten(node: Node, *, idle_limit: str = "") -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with session() as other:
        if idle_limit:
            other.execute(f"SET idle_in_transaction_session_timeout = '{idle_limit}'")  # type: ignore[arg-type]
            other.commit()
        other.execute("SELECT FROM nodes_node WHERE id = %s FOR UPDATE", [node.pk])
        yield other
        if not other.closed:
            other.rollback()


def shown(name: str, own: object = None) -> str:
    if own is not None:
        assert isinstance(own, psycopg.Connection)
        (value,) = own.execute(f"SHOW {name}").fetchone() or ("",)  # type: ignore[arg-type]
        return str(value)
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def test_each_connection_has_the_limits_of_its_process() -> None:
    assert settings.DB_STATEMENT_LIMIT_S == 600
    assert shown("statement_timeout") == "10min"
    assert shown("lock_timeout") == "1min"
    assert shown("idle_in_transaction_session_timeout") == "5min"
    assert shown("plan_cache_mode") == "force_generic_plan"


def test_interactive_session_has_a_limit() -> None:
    with session() as other:
        assert shown("idle_in_transaction_session_timeout", other) == "1min"


def test_idle_transaction_is_terminated() -> None:
    node = make_node("locked")
    with forgotten(node, idle_limit="200ms") as other:
        wait_until(lambda: _is_free(node), limit_s=PATIENCE_S)
        with pytest.raises(psycopg.Error):
            other.execute("SELECT 1")


def _is_free(node: Node) -> bool:
    with session() as another:
        rows = another.execute("SELECT FROM nodes_node WHERE id = %s FOR UPDATE SKIP LOCKED", [node.pk]).fetchall()
        another.rollback()
    return len(rows) == 1


def test_locked_node_row_does_not_block_other_heartbeats() -> None:
    locked, other = make_node("locked"), make_node("other")
    before = dict(Node.objects.values_list("pk", "last_heartbeat_at"))
    connection.cursor().execute("SET lock_timeout = '200ms'")
    with forgotten(locked):
        assert record_alive([locked.pk, other.pk], {}, lease_s=60) == {other.pk}
        beat = pb.NodeEvent(heartbeat=pb.Heartbeat(hook=pb.HookState(is_active=True)))
        outcomes = BatchWriter().write([(locked.pk, [beat])], alive=[other.pk])
        assert isinstance(outcomes[locked.pk], OperationalError), "its own stream ends, and no other"
    after = dict(Node.objects.values_list("pk", "last_heartbeat_at"))
    assert after[other.pk] > before[other.pk]
    assert after[locked.pk] == before[locked.pk]
    assert record_alive([locked.pk, other.pk], {}, lease_s=60) == {locked.pk, other.pk}


def test_request_over_the_lock_timeout_is_answered_503() -> None:
    operator = Caller(token=make_token(None, role="owner"))
    node = make_node("locked")
    connection.cursor().execute("SET lock_timeout = '200ms'")
    with forgotten(node):
        answer = operator.post("/v1/nodes/locked/actions/cordon", {"reason": "a test"})
    assert (answer.status, answer.body["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert operator.post("/v1/nodes/locked/actions/cordon", {"reason": "a test"}).status == 200
