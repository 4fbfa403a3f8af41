"""Where Redis is, in the words of its client library."""

import redis
from django.conf import settings

from observing.answers import Missing

LIMIT_S = 2


def address() -> str:
    """Celery's and the client library's words for a socket differ."""
    return settings.REDIS_URL.replace("redis+socket://", "unix://", 1)


def need() -> None:
    """Raises Missing: it does not answer."""
    try:
        with redis.Redis.from_url(address(), socket_timeout=LIMIT_S, socket_connect_timeout=LIMIT_S) as client:
            client.ping()
    except redis.RedisError as exc:
        raise Missing(str(exc)) from exc
