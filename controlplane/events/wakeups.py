"""Wake-ups of readers of the feed. A wake-up may be lost: readers also poll."""

import logging
import time
from functools import cache

import redis

from controlplane.kernel.redis import redis_url

log = logging.getLogger(__name__)

CHANNEL = "andromede:events"
TIMEOUT_S = 0.2
QUIET_S = 5.0  # after a failure: an unreachable broker costs one commit in five seconds its timeout, not each
_quiet_until = 0.0


@cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(redis_url(), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)


def wake() -> None:
    """Send a wake-up. Never fails: an unreachable broker must not affect what is committed."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        _client().publish(CHANNEL, "")
    except redis.RedisError as exc:
        _quiet_until = time.monotonic() + QUIET_S
        log.warning("events: wake-up not sent: %s", exc)
