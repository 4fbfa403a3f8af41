"""Celery's transport to Redis: one client per channel, and unacknowledged messages in memory only."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from celery import current_app
from kombu import Connection, Queue

from controlplane.kernel import redis
from controlplane.kernel.kombu_transport import Channel
from tests.limits import PATIENCE_S


@pytest.fixture
def connection() -> Iterator[Connection]:
    with current_app.connection_for_write() as connection:
        yield connection


@pytest.fixture
def queue(connection: Connection) -> Iterator[Queue]:
    queue = Queue(f"test-{uuid4()}")
    yield queue
    with current_app.connection_for_write() as another:
        another.default_channel._purge(queue.name)


def test_channel_reuses_one_client_until_disconnected(connection: Connection) -> None:
    channel = connection.channel()
    assert isinstance(channel, Channel)
    client = channel._create_client()
    assert channel._create_client() is client
    channel._disconnect_pools()
    assert channel._create_client() is not client, "as after a fork"
    assert channel._create_client().ping()


def test_unacknowledged_message_is_requeued_at_close(connection: Connection, queue: Queue) -> None:
    with connection.SimpleQueue(queue.name) as simple:
        simple.put({"hint": 1})
        simple.put({"hint": 2})
        simple.get(timeout=PATIENCE_S).ack()
        message = simple.get(timeout=PATIENCE_S)
        assert message.payload == {"hint": 2}
        assert redis.length(queue.name) == 0
    connection.close()
    assert redis.length(queue.name) == 1


def test_taken_message_is_in_no_other_structure(connection: Connection, queue: Queue) -> None:
    with connection.SimpleQueue(queue.name) as simple:
        simple.put({"hint": 1})
        simple.get(timeout=PATIENCE_S)
        assert simple.channel._create_client().hlen("unacked") == 0
