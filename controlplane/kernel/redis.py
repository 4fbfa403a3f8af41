"""Where Redis is, in the words of its client library; whether it is there, and how much waits in it."""

import redis
from django.conf import settings

from telemetry.http_endpoint import NotReady

LIMIT_S = 2


def redis_url() -> str:
    """Celery's and the client library's words for a socket differ."""
    return settings.REDIS_URL.replace("redis+socket://", "unix://", 1)


def check_redis() -> None:
    """Raises Missing: it does not answer."""
    try:
        with _client() as client:
            client.ping()
    except redis.RedisError as exc:
        raise NotReady(str(exc)) from exc


def length(queue: str) -> int:
    """How many messages of Celery wait in a queue; 0 when Redis does not answer."""
    try:
        with _client() as client:
            return int(client.llen(queue))
    except redis.RedisError:
        return 0


def _client() -> redis.Redis:
    return redis.Redis.from_url(redis_url(), socket_timeout=LIMIT_S, socket_connect_timeout=LIMIT_S)
