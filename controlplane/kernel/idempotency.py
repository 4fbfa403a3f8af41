"""Idempotency-Key: a POST that is repeated under the same key runs once, and gets the stored response.

The response is stored in the transaction of the work: one exists exactly when the other does, after any crash. While a
request runs, its key is locked in the database; the lock ends with the transaction, so a crash leaves nothing to clean
up. Failed requests wrote nothing and are not stored: a repetition runs again.

A response may contain a secret, such as a new token, and the database must not reveal it. The encryption keys of
responses are therefore derived from the credential in the request, which the database does not have.
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
    """The right to do the work of a key, until the transaction ends; `answer`: the stored response of an earlier
    request.
    """

    scope: bytes
    request: bytes
    encryption_key: bytes
    answer: HttpResponse | None = None

    def keep(self, answer: HttpResponse) -> None:
        """Store the response, in the transaction of the work."""
        IdempotencyRecord.objects.create(scope=self.scope, request=self.request, answer=self._sealed(answer))

    def _sealed(self, answer: HttpResponse) -> bytes:
        document = {"status": answer.status_code, "headers": dict(answer.items()), "body": answer.content.decode()}
        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self.encryption_key).encrypt(nonce, json.dumps(document).encode(), self.scope)

    def opened(self, ciphertext: bytes) -> HttpResponse:
        nonce, text = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
        document = json.loads(AESGCM(self.encryption_key).decrypt(nonce, text, self.scope))
        headers = document["headers"] | {REPLAYED: "true"}
        return HttpResponse(document["body"], status=document["status"], headers=headers)


def check_key(request: Request) -> None:
    """Check the key, also where no response is stored under it, as in a dry run. Raises IdempotencyKeyInvalid."""
    key = request.headers.get(HEADER)
    if request.method == "POST" and key is not None and not KEY.fullmatch(key):
        raise IdempotencyKeyInvalid()


def claim(request: Request, content: bytes | None) -> Claim | None:
    """Claim the key of a POST; None for other methods, and without a key or credential.

    `content`: the bytes of a body that is not JSON.

    Raises:
        IdempotencyKeyReused: an earlier request under the key was different.
        IdempotencyKeyInUse: another request under the key is running.
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
    earlier = IdempotencyRecord.objects.filter(scope=scope).first()
    if earlier is None:
        return mine
    if earlier.created_at < clock.now() - KEPT:
        earlier.delete()
        return mine
    if bytes(earlier.request) != mine.request:
        raise IdempotencyKeyReused()
    return Claim(scope, mine.request, seal, mine.opened(bytes(earlier.answer)))


def purge() -> int:
    """Delete responses that are a day old. Returns their number."""
    old = IdempotencyRecord.objects.filter(created_at__lt=clock.now() - KEPT).order_by("created_at")
    count, _ = IdempotencyRecord.objects.filter(pk__in=old.values("pk")[:PURGE_BATCH]).delete()
    return count


def presented(request: Request | HttpRequest) -> str | None:
    """Return the secret with which the caller authenticates, unchecked."""
    return request.headers.get("Authorization", "").partition(" ")[2] or None


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"andromede idempotency " + purpose).derive(secret)


def _digest(key: bytes, parts: list[object]) -> bytes:
    """Return a digest of the body; the order of members and blanks do not count."""
    return hmac.digest(key, json.dumps(parts, sort_keys=True).encode(), hashlib.sha256)


def _lock(scope: bytes) -> None:
    """Lock the key until the end of the transaction. Raises IdempotencyKeyInUse."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(scope[:8], signed=True)])
        if not cursor.fetchone()[0]:
            raise IdempotencyKeyInUse()
