"""Rate limits of requests, reads and writes apart: per user or service account with all credentials, per organization
with all its users and accounts, and per address without a valid credential, against guessing.

sliding_windows.py has the counters.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from threading import Lock

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.permissions import SAFE_METHODS

from controlplane.api.authentication import secret_in
from controlplane.api.errors import TooManyRequests
from controlplane.api.middleware import is_api
from controlplane.api.problems import problem_response
from controlplane.api.sliding_windows import Bucket, BucketState, Counts
from controlplane.identity.actor import Actor
from controlplane.kernel.client_address import client_address
from controlplane.kernel.request_transaction import is_preview

KNOWN_MAX = 10_000
PREFIX_V6 = 64  # one customer of a provider has at least such a network


@dataclass(frozen=True)
class CredentialOwner:
    """Credential owner.

    `organization`: the one that the credential is for; empty when it is for several or for none.
    """

    key: str
    organization: str = ""

    @classmethod
    def for_actor(cls, actor: Actor) -> "CredentialOwner":
        organizations = actor.organization_ids
        return cls(str(actor.owner_id), str(next(iter(organizations))) if len(organizations) == 1 else "")

    def buckets(self, request: HttpRequest) -> tuple[Bucket, ...]:
        """Return the buckets that a request counts in."""
        name, limit = "writes", settings.RATE_WRITES_PER_MIN
        if request.method in SAFE_METHODS or is_preview(request):
            name, limit = "reads", settings.RATE_READS_PER_MIN
        own = Bucket(name, self.key, limit)
        if not self.organization:
            return (own,)
        return own, Bucket(f"organization_{name}", self.organization, limit * settings.RATE_ORGANIZATION_TIMES)


class CredentialCache:
    """Credential owners by digest of the secret, for credentials that were valid in their last request to this
    process.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._owners: OrderedDict[str, CredentialOwner] = OrderedDict()

    def owner(self, digest: str) -> CredentialOwner | None:
        with self._lock:
            return self._owners.get(digest)

    def store(self, digest: str, owner: CredentialOwner | None) -> None:
        """Store the owner of a credential; None: the credential is invalid."""
        with self._lock:
            self._owners.pop(digest, None)
            if owner is not None:
                self._owners[digest] = owner
            while len(self._owners) > KNOWN_MAX:
                self._owners.popitem(last=False)


class RateLimitMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.counts = Counts()
        self.known = CredentialCache()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_api(request):  # the API requests of a page are counted
            return self.get_response(request)
        secret = secret_in(request.headers.get("Authorization", ""))
        if not secret:
            return self._within(self.counts.spend(_of_address(request)), request)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        owner = self.known.owner(digest)
        if owner is None:
            return self._is_first_use(request, digest)
        answer = self._within(self.counts.spend(*owner.buckets(request)), request)
        self.known.store(digest, None if answer.status_code == 401 else _owner(request) or owner)
        return answer

    def _is_first_use(self, request: HttpRequest, digest: str) -> HttpResponse:
        """Check an unknown credential's address: after too many invalid credentials an address is rejected."""
        bucket_state = self.counts.peek(_of_address(request))
        if bucket_state is not None and bucket_state.is_over:
            return _refused(bucket_state, request)
        answer = self.get_response(request)
        owner = _owner(request)
        self.known.store(digest, owner)
        buckets = (_of_address(request),) if owner is None else owner.buckets(request)
        return _with_headers(self.counts.spend(*buckets), answer)

    def _within(self, bucket_state: BucketState | None, request: HttpRequest) -> HttpResponse:
        if bucket_state is not None and bucket_state.is_over:
            return _refused(bucket_state, request)
        return _with_headers(bucket_state, self.get_response(request))


def _owner(request: HttpRequest) -> CredentialOwner | None:
    """Return the owner of an answered request; None: the request was not authenticated."""
    actor = getattr(request, "user", None)
    return CredentialOwner.for_actor(actor) if isinstance(actor, Actor) else None


def _of_address(request: HttpRequest) -> Bucket:
    return Bucket("address", _network(client_address(request) or ""), settings.RATE_ANONYMOUS_PER_MIN)


def _network(address: str) -> str:
    try:
        ip = ip_address(address)
    except ValueError:
        return "unknown"
    return address if ip.version == 4 else str(ip_network((ip, PREFIX_V6), strict=False))


def _refused(bucket_state: BucketState, request: HttpRequest) -> HttpResponse:
    bucket, wait_s = bucket_state.bucket, max(1, bucket_state.reset_s)
    return _with_headers(
        bucket_state, problem_response(TooManyRequests(limit=bucket.limit, retry_after_s=wait_s), request)
    )


def _with_headers(bucket_state: BucketState | None, answer: HttpResponse) -> HttpResponse:
    for name, text in (bucket_state.headers if bucket_state else {}).items():
        answer[name] = text
    return answer
