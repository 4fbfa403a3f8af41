"""How many requests a caller may make: reads and writes apart, for each credential; and by address whoever shows none
that is good, so that guessing is slow.

The counts are in Redis, since several processes share them. They are no truth: while Redis does not answer, all
requests pass.
"""

import hashlib
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address, ip_network
from threading import Lock

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter
from rest_framework.permissions import SAFE_METHODS

from controlplane.api.errors import TooManyRequests
from controlplane.api.middleware import is_api
from controlplane.api.problems import plain
from controlplane.kernel.idempotency import presented
from controlplane.kernel.origin import address_of

log = logging.getLogger(__name__)

WINDOW_S = 60
REDIS_LIMITS_S = {"socket_timeout": 0.5, "socket_connect_timeout": 0.2}
PAUSE_S = 5  # so that a Redis that hangs does not slow every request down
KNOWN_MAX = 10_000
PREFIX_V6 = 64  # what one customer of a provider has at least


@dataclass(frozen=True)
class Bucket:
    """`limit`: requests per minute, 0 for any number."""

    name: str
    owner: str
    limit: int


@dataclass(frozen=True)
class Standing:
    """What is left in a bucket, and when there will be more."""

    bucket: Bucket
    remaining: int
    reset_s: int
    is_over: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"{self.bucket.name}";q={self.bucket.limit};w={WINDOW_S}',
            "RateLimit-Limit": str(self.bucket.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


class Counts:
    """The counts in Redis; for a while after it did not answer there are none."""

    def __init__(self) -> None:
        self._paused_until = 0.0

    def spend(self, bucket: Bucket) -> Standing | None:
        """Take one out; None: nobody counts."""
        return self._asked(bucket, lambda limiter, item: not limiter.hit(item, bucket.name, bucket.owner))

    def look(self, bucket: Bucket) -> Standing | None:
        """Whether there is one to take."""
        return self._asked(bucket, lambda limiter, item: not limiter.test(item, bucket.name, bucket.owner))

    def _asked(
        self, bucket: Bucket, is_over: Callable[[SlidingWindowCounterRateLimiter, RateLimitItemPerMinute], bool]
    ) -> Standing | None:
        if bucket.limit == 0 or time.monotonic() < self._paused_until:
            return None
        limiter, item = _limiter(settings.REDIS_URL), RateLimitItemPerMinute(bucket.limit)
        try:
            over = is_over(limiter, item)
            stats = limiter.get_window_stats(item, bucket.name, bucket.owner)
        except StorageError as exc:
            self._pause(exc)
            return None
        self._resume()
        return Standing(bucket, stats.remaining, max(0, math.ceil(stats.reset_time - time.time())), over)

    def _pause(self, error: StorageError) -> None:
        if self._paused_until == 0:
            log.warning("requests are not counted, since Redis does not answer: %s", error.storage_error)
        self._paused_until = time.monotonic() + PAUSE_S

    def _resume(self) -> None:
        if self._paused_until:
            log.warning("requests are counted again")
        self._paused_until = 0.0


@cache
def _limiter(redis_url: str) -> SlidingWindowCounterRateLimiter:
    """Celery and this library write the URL of a socket differently."""
    url = redis_url.replace("redis+socket://", "redis+unix://", 1)
    options = {**REDIS_LIMITS_S, "key_prefix": "andromede-limits"}
    return SlidingWindowCounterRateLimiter(storage_from_string(url, wrap_exceptions=True, **options))  # type: ignore[arg-type]


class Known:
    """Digests of the credentials that were good when they were last shown to this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._digests: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, digest: str) -> bool:
        with self._lock:
            return digest in self._digests

    def note(self, digest: str, *, is_good: bool) -> None:
        with self._lock:
            self._digests.pop(digest, None)
            if is_good:
                self._digests[digest] = None
            while len(self._digests) > KNOWN_MAX:
                self._digests.popitem(last=False)


class LimitsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.counts = Counts()
        self.known = Known()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_api(request):  # what a page asks of the API is counted
            return self.get_response(request)
        secret = presented(request)
        if secret is None:
            return self._within(self.counts.spend(_of_address(request)), request)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        if digest in self.known:
            answer = self._within(self.counts.spend(_of_credential(request, digest)), request)
            self.known.note(digest, is_good=answer.status_code != 401)
            return answer
        return self._first_seen(request, digest)

    def _first_seen(self, request: HttpRequest, digest: str) -> HttpResponse:
        """Nobody knows yet whether the credential is good, so an address that showed too many bad ones is not heard."""
        standing = self.counts.look(_of_address(request))
        if standing is not None and standing.is_over:
            return _refused(standing, request)
        answer = self.get_response(request)
        is_good = bool(getattr(request, "user", None))
        self.known.note(digest, is_good=is_good)
        standing = self.counts.spend(_of_credential(request, digest) if is_good else _of_address(request))
        return _told(standing, answer)

    def _within(self, standing: Standing | None, request: HttpRequest) -> HttpResponse:
        if standing is not None and standing.is_over:
            return _refused(standing, request)
        return _told(standing, self.get_response(request))


def _of_credential(request: HttpRequest, digest: str) -> Bucket:
    if request.method in SAFE_METHODS:
        return Bucket("reads", digest, settings.RATE_READS_PER_MIN)
    return Bucket("writes", digest, settings.RATE_WRITES_PER_MIN)


def _of_address(request: HttpRequest) -> Bucket:
    return Bucket("address", _network(address_of(request) or ""), settings.RATE_ANONYMOUS_PER_MIN)


def _network(address: str) -> str:
    try:
        known = ip_address(address)
    except ValueError:
        return "unknown"
    return address if known.version == 4 else str(ip_network((known, PREFIX_V6), strict=False))


def _refused(standing: Standing, request: HttpRequest) -> HttpResponse:
    bucket, wait_s = standing.bucket, max(1, standing.reset_s)
    return _told(standing, plain(TooManyRequests(limit=bucket.limit, retry_after_s=wait_s), request))


def _told(standing: Standing | None, answer: HttpResponse) -> HttpResponse:
    for name, text in (standing.headers if standing else {}).items():
        answer[name] = text
    return answer
