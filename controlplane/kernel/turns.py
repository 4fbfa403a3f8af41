"""What takes long and is asked for by many: whoever has one running waits for its end before the next.

Who has a turn is in Redis, since several processes share it; while Redis does not answer, each process knows its own.
"""

import secrets
from functools import cache
from typing import Any

import redis
from django.http import HttpResponseBase

from controlplane.kernel.errors import TooMany
from controlplane.kernel.redis import address

KEY = "andromede:turn:"
TIMEOUT_S, CONNECT_S = 0.5, 0.2
RETRY_AFTER_S = 5
_own: dict[str, str] = {}  # by key, the secret of whoever has the turn


class TurnTaken(TooMany):
    code = "one_at_a_time"
    title = "One at a time"
    detail = "One that you asked for before is not at its end. Wait for that, or end it."
    retryable = True


class Turn:
    """`release` may be called again: nothing happens then."""

    def __init__(self, key: str, secret: str, *, is_shared: bool) -> None:
        self._key, self._secret, self._is_shared = key, secret, is_shared

    def until_sent(self, answer: HttpResponseBase) -> None:
        """Release it when the answer was sent, or nobody takes it any more."""
        # As Django itself closes what an answer is read from.
        answer._resource_closers.append(self.release)  # type: ignore[attr-defined]

    def release(self) -> None:
        if not self._is_shared:
            if _own.get(self._key) == self._secret:
                del _own[self._key]
            return
        try:
            if _client(address()).get(self._key) == self._secret:
                _client(address()).delete(self._key)
        except redis.RedisError:
            return  # it ends by itself


def take(kind: str, owner: object, *, lasts_s: int) -> Turn:
    """The turn of this owner, which ends after `lasts_s` if nobody releases it.

    Raises:
        TurnTaken
    """
    key, secret = f"{KEY}{kind}:{owner}", secrets.token_hex(8)
    try:
        is_mine = bool(_client(address()).set(key, secret, nx=True, ex=lasts_s))
        is_shared = True
    except redis.RedisError:
        is_mine, is_shared = _own.setdefault(key, secret) == secret, False
    if not is_mine:
        raise TurnTaken(retry_after_s=RETRY_AFTER_S)
    return Turn(key, secret, is_shared=is_shared)


@cache
def _client(url: str) -> Any:
    return redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=CONNECT_S, decode_responses=True)
