"""Idempotency-Key: a POST that is repeated under the same key is done once, and answered as it was.

The answer is stored in the transaction that does the work, so it is there exactly when the work is, whoever crashed
afterwards. While a request runs, its key is locked in the database; the lock goes with the transaction, so a crash
leaves nothing that has to be cleaned up. Failures did nothing and are not stored: a repetition is tried anew.

An answer may show a secret, of a new token for example, and whoever reads the database must not find that. So keys for
sealing it are derived from the credential that the request presents, which the database does not know.
"""

import hashlib
import hmac
import json
import os
import re
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db import connection
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from controlplane.kernel import clock
from controlplane.kernel.errors import Conflict, InvalidRequest, Unprocessable
from controlplane.kernel.models import IdempotencyRecord

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEY = re.compile(r"[\x21-\x7e]{1,255}")
KEPT = timedelta(hours=24)
NONCE_BYTES = 12
PURGE_BATCH = 10_000


class IdempotencyKeyInvalid(InvalidRequest):
    code = "idempotency_key_invalid"
    title = "Invalid idempotency key"
    detail = "An Idempotency-Key has 1 to 255 visible ASCII characters. Use a new UUID for each request."


class IdempotencyKeyReused(Unprocessable):
    code = "idempotency_key_reused"
    title = "Idempotency key used before"
    detail = "This Idempotency-Key was used for a different request. Use a new key for a new request."


class IdempotencyKeyInUse(Conflict):
    code = "idempotency_key_in_use"
    title = "Still running"
    detail = "A request with this Idempotency-Key is running right now. Repeat it in a moment to get its answer."
    retryable = True


@dataclass(frozen=True)
class Claim:
    """The right to do the work of a key, until the transaction ends; with an `answer`, it was done already."""

    scope: bytes
    request: bytes
    sealing_key: bytes
    answer: HttpResponse | None = None

    def keep(self, answer: HttpResponse) -> None:
        """Store what is answered, in the transaction of the work."""
        IdempotencyRecord.objects.create(scope=self.scope, request=self.request, answer=self._sealed(answer))

    def _sealed(self, answer: HttpResponse) -> bytes:
        document = {"status": answer.status_code, "headers": dict(answer.items()), "body": answer.content.decode()}
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.sealing_key).encrypt(nonce, json.dumps(document).encode(), self.scope)

    def opened(self, sealed: bytes) -> HttpResponse:
        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        document = json.loads(AESGCM(self.sealing_key).decrypt(nonce, text, self.scope))
        headers = document["headers"] | {REPLAYED: "true"}
        return HttpResponse(document["body"], status=document["status"], headers=headers)


def check_key(request: Request) -> None:
    """Also where no answer is stored under it, in a dry run for example. Raises IdempotencyKeyInvalid."""
    key = request.headers.get(HEADER)
    if request.method == "POST" and key is not None and not KEY.fullmatch(key):
        raise IdempotencyKeyInvalid()


def claim(request: Request, content: bytes | None) -> Claim | None:
    """None for what is no POST, or has no key or credential. `content`: the bytes of a body that is no document.

    Raises:
        IdempotencyKeyReused: what was asked for under the key is not this.
        IdempotencyKeyInUse: somebody is at it.
    """
    key, shown = request.headers.get(HEADER), presented(request) if request.user else None
    if request.method != "POST" or key is None or shown is None:
        return None
    secret = shown.encode()
    names, seal = _derived(secret, b"names"), _derived(secret, b"answers")
    scope = _digest(names, ["scope", request.method, request.path, key])
    body = request.data if content is None else hashlib.sha256(content).hexdigest()
    mine = Claim(scope, _digest(names, ["request", dict(request.query_params.lists()), body]), seal)
    _lock(scope)
    known = IdempotencyRecord.objects.filter(scope=scope).first()
    if known is None:
        return mine
    if known.created_at < clock.now() - KEPT:
        known.delete()
        return mine
    if bytes(known.request) != mine.request:
        raise IdempotencyKeyReused()
    return Claim(scope, mine.request, seal, mine.opened(bytes(known.answer)))


def purge() -> int:
    """Forget answers that are a day old. Returns how many went."""
    old = IdempotencyRecord.objects.filter(created_at__lt=clock.now() - KEPT).order_by("created_at")
    count, _ = IdempotencyRecord.objects.filter(pk__in=old.values("pk")[:PURGE_BATCH]).delete()
    return count


def presented(request: Request | HttpRequest) -> str | None:
    """The secret with which the caller says who they are; whether it is good, others know."""
    return request.headers.get("Authorization", "").partition(" ")[2] or None


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"andromede idempotency " + purpose).derive(secret)


def _digest(key: bytes, parts: list[object]) -> bytes:
    """Of bodies that say the same: neither the order of members nor blanks count."""
    return hmac.digest(key, json.dumps(parts, sort_keys=True).encode(), hashlib.sha256)


def _lock(scope: bytes) -> None:
    """Until the transaction ends. Raises IdempotencyKeyInUse."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(scope[:8], signed=True)])
        if not cursor.fetchone()[0]:
            raise IdempotencyKeyInUse()
