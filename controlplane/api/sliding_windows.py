"""Sliding window counters: the requests of this minute, plus a share of the previous minute.

The counters are in Redis, since several processes share them. While Redis does not answer, each process counts for
itself: a caller may then make as many requests to each process.
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
PAUSE_S = 5  # so that a Redis that hangs does not delay every request
OWN_MAX = 20_000  # local buckets of a process; the least recently used is dropped
KEY = "andromede-requests"

# KEYS: for each bucket the counters of this minute and of the previous one. ARGV: 1 to take a request from each bucket,
# 0 to read; the share of the previous minute that still counts; the limits. Nothing is taken unless all buckets have
# one left. Returns whether all have one, and the counters.
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
    """A bucket. `limit`: requests per minute."""

    name: str
    owner: str
    limit: int


@dataclass(frozen=True)
class BucketState:
    """State of a bucket: requests left, and seconds until there are more."""

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
    """Number of the minute, and the share of the previous minute that still counts."""

    minute: int
    share: float

    @classmethod
    def now(cls) -> "Moment":
        minute, passed_s = divmod(time.time(), WINDOW_S)
        return cls(int(minute), 1 - passed_s / WINDOW_S)

    def bucket_state(self, bucket: Bucket, current: int, previous: int, *, is_taken: bool) -> BucketState:
        """Return the state. `is_taken`: the counters include the request itself."""
        used = current + math.floor(previous * self.share)
        rest_s = self.share * WINDOW_S
        reset_s = min(rest_s, WINDOW_S / previous) if previous else rest_s
        return BucketState(
            bucket, max(0, bucket.limit - used), math.ceil(reset_s), not is_taken and used >= bucket.limit
        )


class Store(Protocol):
    def count(self, buckets: Sequence[Bucket], moment: Moment, *, is_taken: bool) -> tuple[bool, list[int]]:
        """Count a request in all buckets, or only read; returns whether all have one left, and both counters of each
        bucket.
        """


class Shared:
    """Counters in Redis, with one command for all buckets. Raises redis.RedisError."""

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
    """Counters in the memory of this process, with a maximum number of buckets."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: OrderedDict[tuple[str, str], tuple[int, int, int]] = OrderedDict()

    def count(self, buckets: Sequence[Bucket], moment: Moment, *, is_taken: bool) -> tuple[bool, list[int]]:
        with self._lock:
            counted = [self._found(each, moment.minute) for each in buckets]
            has_all = all(
                current + math.floor(previous * moment.share) < bucket.limit
                for bucket, (current, previous) in zip(buckets, counted, strict=True)
            )
            taken = int(has_all and is_taken)
            counts: list[int] = []
            for bucket, (current, previous) in zip(buckets, counted, strict=True):
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
    """Counters in Redis or, for a while after Redis did not answer, in this process."""

    def __init__(self) -> None:
        self._shared, self._own = Shared(), Own()
        self._paused_until = 0.0

    def spend(self, *buckets: Bucket) -> BucketState | None:
        """Take a request from each bucket, or from none if one is empty.

        Returns the state of the bucket with the least left; None: there are no buckets.
        """
        return self._state_of(buckets, is_taken=True)

    def peek(self, *buckets: Bucket) -> BucketState | None:
        """Return the same as spend() without taking a request."""
        return self._state_of(buckets, is_taken=False)

    def _state_of(self, buckets: Sequence[Bucket], *, is_taken: bool) -> BucketState | None:
        """Return the buckets to count; a limit of 0 means no limit."""
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
            log.warning("rate limits apply per process until Redis answers again: %s", error)
        self._paused_until = time.monotonic() + PAUSE_S

    def _resume(self) -> None:
        if self._paused_until:
            log.warning("rate limits apply across processes again")
        self._paused_until = 0.0
