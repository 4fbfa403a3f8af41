"""Redis: its URL for the client library, a health check, and lengths of queues."""

import redis
from django.conf import settings

from telemetry.http_endpoint import NotReady

LIMIT_S = 2


def redis_url() -> str:
    """Return the URL for the client library, which writes a Unix socket otherwise than Celery."""
    return settings.REDIS_URL.replace("redis+socket://", "unix://", 1)


def check_redis() -> None:
    """Raise NotReady if Redis does not answer."""
    try:
        with _client() as client:
            client.ping()
    except redis.RedisError as exc:
        raise NotReady(str(exc)) from exc


def length(queue: str) -> int:
    """Return the number of Celery messages in a queue; 0 when Redis does not answer."""
    try:
        with _client() as client:
            return int(client.llen(queue))
    except redis.RedisError:
        return 0


def _client() -> redis.Redis:
    return redis.Redis.from_url(redis_url(), socket_timeout=LIMIT_S, socket_connect_timeout=LIMIT_S)
