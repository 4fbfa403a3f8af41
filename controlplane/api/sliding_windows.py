"""Counting over a window that slides: the requests of this minute, and of the minute before as much as is left of it.

The counts are in Redis, since several processes share them. While Redis does not answer, each process counts for
itself, so that whoever may make so many requests may make so many of each process.
"""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Protocol

import redis
from redis.commands.core import Script

from controlplane.kernel.redis import redis_url

log = logging.getLogger(__name__)

WINDOW_S = 60
TIMEOUT_S, CONNECT_S = 0.5, 0.2
PAUSE_S = 5  # so that a Redis that hangs does not slow every request down
OWN_MAX = 20_000  # buckets that one process counts for itself; the one that was not used for longest goes
KEY = "andromede-requests"

# KEYS: of each bucket this minute's count and the one of the minute before. ARGV: 1 to take one out of each, 0 to look;
# which share of the minute before still counts; the limits. Nothing is taken unless all have one. Returns whether all
# have one, and the counts.
SCRIPT = """
local counts, has_all = {}, 1
for i = 1, #KEYS do
  counts[i] = tonumber(redis.call('GET', KEYS[i]) or '0')
  if i % 2 == 0 and counts[i - 1] + math.floor(counts[i] * ARGV[2]) + 1 > tonumber(ARGV[2 + i / 2]) then has_all = 0 end
end
if has_all == 1 and ARGV[1] == '1' then
  for i = 1, #KEYS, 2 do
    counts[i] = redis.call('INCR', KEYS[i])
    redis.call('EXPIRE', KEYS[i], 120)
  end
end
return {has_all, unpack(counts)}
"""


@dataclass(frozen=True)
class Bucket:
    """`limit`: requests per minute."""

    name: str
    owner: str
    limit: int


@dataclass(frozen=True)
class BucketState:
    """What is left in a bucket, and in how many seconds there will be more."""

    bucket: Bucket
    remaining: int
    reset_s: int
    is_over: bool

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"{self.bucket.name}";q={self.bucket.limit};w={WINDOW_S}',
            "RateLimit-Limit": str(self.bucket.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


@dataclass(frozen=True)
class Moment:
    """Which minute it is, and which share of the one before still counts."""

    minute: int
    share: float

    @classmethod
    def now(cls) -> "Moment":
        minute, passed_s = divmod(time.time(), WINDOW_S)
        return cls(int(minute), 1 - passed_s / WINDOW_S)

    def bucket_state(self, bucket: Bucket, current: int, previous: int, *, is_taken: bool) -> BucketState:
        """`is_taken`: the request itself is among those that are counted."""
        used = current + math.floor(previous * self.share)
        rest_s = self.share * WINDOW_S
        reset_s = min(rest_s, WINDOW_S / previous) if previous else rest_s
        return BucketState(
            bucket, max(0, bucket.limit - used), math.ceil(reset_s), not is_taken and used >= bucket.limit
        )


class Store(Protocol):
    def count(self, buckets: Sequence[Bucket], moment: Moment, *, is_taken: bool) -> tuple[bool, list[int]]:
        """Whether all have one, which is taken if that is wanted; and this minute's and the last minute's count of each
        bucket."""


class Shared:
    """In Redis, by one question for all buckets. Raises redis.RedisError."""

    def count(self, buckets: Sequence[Bucket], moment: Moment, *, is_taken: bool) -> tuple[bool, list[int]]:
        keys = [
            f"{KEY}:{each.name}:{each.owner}:{minute}"
            for each in buckets
            for minute in (moment.minute, moment.minute - 1)
        ]
        limits = [each.limit for each in buckets]
        has_all, *counts = _script(redis_url())(keys=keys, args=[int(is_taken), moment.share, *limits])
        return bool(has_all), counts


@cache
def _script(url: str) -> Script:
    return redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=CONNECT_S).register_script(SCRIPT)


class Own:
    """In the memory of this process, which has a maximum."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: OrderedDict[tuple[str, str], tuple[int, int, int]] = OrderedDict()

    def count(self, buckets: Sequence[Bucket], moment: Moment, *, is_taken: bool) -> tuple[bool, list[int]]:
        with self._lock:
            found = [self._found(each, moment.minute) for each in buckets]
            has_all = all(
                current + math.floor(previous * moment.share) < bucket.limit
                for bucket, (current, previous) in zip(buckets, found, strict=True)
            )
            taken = int(has_all and is_taken)
            counts: list[int] = []
            for bucket, (current, previous) in zip(buckets, found, strict=True):
                self._counts[bucket.name, bucket.owner] = moment.minute, current + taken, previous
                self._counts.move_to_end((bucket.name, bucket.owner))
                counts += [current + taken, previous]
            while len(self._counts) > OWN_MAX:
                self._counts.popitem(last=False)
        return has_all, counts

    def _found(self, bucket: Bucket, now: int) -> tuple[int, int]:
        minute, current, previous = self._counts.get((bucket.name, bucket.owner), (now, 0, 0))
        return (current, previous) if minute == now else (0, current if minute == now - 1 else 0)


class Counts:
    """In Redis; for a while after it did not answer, in this process."""

    def __init__(self) -> None:
        self._shared, self._own = Shared(), Own()
        self._paused_until = 0.0

    def spend(self, *buckets: Bucket) -> BucketState | None:
        """Take one out of each, or out of none if one of them is empty. Returns how the one stands that has the least
        left; None: there is none."""
        return self._asked(buckets, is_taken=True)

    def peek(self, *buckets: Bucket) -> BucketState | None:
        """The same, and nothing is taken."""
        return self._asked(buckets, is_taken=False)

    def _asked(self, buckets: Sequence[Bucket], *, is_taken: bool) -> BucketState | None:
        """A limit of 0 is none."""
        limited = [each for each in buckets if each.limit]
        if not limited:
            return None
        moment = Moment.now()
        has_all, counts = self._counted(limited, moment, is_taken=is_taken)
        standings = [
            moment.bucket_state(bucket, current, previous, is_taken=has_all and is_taken)
            for bucket, current, previous in zip(limited, counts[::2], counts[1::2], strict=True)
        ]
        return min(standings, key=lambda each: (not each.is_over, each.remaining))

    def _counted(self, buckets: Sequence[Bucket], moment: Moment, *, is_taken: bool) -> tuple[bool, list[int]]:
        if time.monotonic() >= self._paused_until:
            try:
                counted = self._shared.count(buckets, moment, is_taken=is_taken)
            except redis.RedisError as exc:
                self._pause(exc)
            else:
                self._resume()
                return counted
        return self._own.count(buckets, moment, is_taken=is_taken)

    def _pause(self, error: redis.RedisError) -> None:
        if self._paused_until == 0:
            log.warning("requests are counted in this process alone, since Redis does not answer: %s", error)
        self._paused_until = time.monotonic() + PAUSE_S

    def _resume(self) -> None:
        if self._paused_until:
            log.warning("requests are counted for all processes again")
        self._paused_until = 0.0
