"""Concurrency slots for slow requests: a caller runs one request of a kind at a time.

Slots are stored in Redis, since several processes share them. While Redis does not answer, each process keeps slots of
its own.
"""

import secrets
from functools import cache
from typing import Any

import redis
from django.http import HttpResponseBase

from controlplane.kernel.errors import TooMany
from controlplane.kernel.redis import redis_url

KEY = "andromede:turn:"
TIMEOUT_S, CONNECT_S = 0.5, 0.2
RETRY_AFTER_S = 5
_own: dict[str, str] = {}  # by key: the secret of the slot's holder


class SlotTaken(TooMany):
    code = "one_at_a_time"
    title = "One at a time"
    detail = "Your earlier request of this kind is still running. Wait until it ends, or end it."
    retryable = True


class ConcurrencySlot:
    """A concurrency slot; `release` is idempotent."""

    def __init__(self, key: str, secret: str, *, is_shared: bool) -> None:
        self._key, self._secret, self._is_shared = key, secret, is_shared

    def release_after_response(self, answer: HttpResponseBase) -> None:
        """Release the slot when the response has been sent or the client has gone."""
        # Django closes the parts of a response through the same list.
        answer._resource_closers.append(self.release)  # type: ignore[attr-defined]

    def release(self) -> None:
        if not self._is_shared:
            if _own.get(self._key) == self._secret:
                del _own[self._key]
            return
        try:
            if _client(redis_url()).get(self._key) == self._secret:
                _client(redis_url()).delete(self._key)
        except redis.RedisError:
            return  # the slot expires by itself


def acquire_slot(kind: str, owner: object, *, expires_after_s: int) -> ConcurrencySlot:
    """Acquire the slot of this owner; it expires after `expires_after_s` unless it is released before.

    Raises:
        SlotTaken
    """
    key, secret = f"{KEY}{kind}:{owner}", secrets.token_hex(8)
    try:
        is_mine = bool(_client(redis_url()).set(key, secret, nx=True, ex=expires_after_s))
        is_shared = True
    except redis.RedisError:
        is_mine, is_shared = _own.setdefault(key, secret) == secret, False
    if not is_mine:
        raise SlotTaken(retry_after_s=RETRY_AFTER_S)
    return ConcurrencySlot(key, secret, is_shared=is_shared)


@cache
def _client(url: str) -> Any:
    return redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=CONNECT_S, decode_responses=True)
