"""Signed JSON documents: form, signed bytes and verification.

Standard library only; the caller passes the signature algorithms.

A signed document is the canonical JSON of {"p": payload, "kid": key id, "sig": base64}. The signature is over
b"andromede/<kind>/v1\\n" and the canonical JSON of the payload, so that a document of one kind is never taken for
another's. No document names an algorithm: the key id decides it, so that a sender cannot choose a weaker one.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from andromede_core.documents.canonical import dumps, loads

Sign = Callable[[bytes], bytes]
# (message, signature) → True if the key made the signature
Verify = Callable[[bytes, bytes], bool]


class BadDocument(ValueError):
    """A document that is not valid. `code`: MALFORMED or BAD_SIGNATURE."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(f"{code}: {reason}")


@dataclass(frozen=True, slots=True)
class Signed:
    payload: Mapping[str, object]
    key_id: str
    signature: bytes

    def check(self, kind: str, verify: Verify) -> None:
        """Verify the signature.

        Raises:
            BadDocument: the key did not sign this.
        """
        if not verify(message(kind, self.payload), self.signature):
            raise BadDocument("BAD_SIGNATURE", f"key {self.key_id} did not sign this {kind}")

    def envelope(self) -> dict[str, object]:
        return {"p": dict(self.payload), "kid": self.key_id, "sig": base64.b64encode(self.signature).decode()}

    def document(self) -> bytes:
        return dumps(self.envelope())


def message(kind: str, payload: Mapping[str, object]) -> bytes:
    """Return the bytes that are signed."""
    return f"andromede/{kind}/v1\n".encode() + dumps(payload)


def sign(kind: str, payload: Mapping[str, object], *, key_id: str, key: Sign) -> Signed:
    return Signed(payload, key_id, key(message(kind, payload)))


def read(document: bytes) -> Signed:
    """Parse a signed document.

    Raises:
        BadDocument: not canonical, or not of this form. The signature is not checked yet.
    """
    try:
        return from_envelope(loads(document))
    except (ValueError, RecursionError) as exc:
        raise BadDocument("MALFORMED", str(exc)) from exc


def from_envelope(body: object) -> Signed:
    """Return the signed document that a decoded {p, kid, sig} states.

    Raises:
        ValueError: the envelope is not a signed document.
    """
    if not isinstance(body, dict) or set(body) != {"p", "kid", "sig"}:
        raise ValueError("a signed document has p, kid and sig")
    payload, key_id, signature = body["p"], body["kid"], body["sig"]
    if not isinstance(payload, dict) or not isinstance(key_id, str) or not isinstance(signature, str):
        raise ValueError("p is an object, kid and sig are texts")
    try:
        signed = Signed(payload, key_id, base64.b64decode(signature, validate=True))
    except binascii.Error as exc:
        raise ValueError("sig is not base64") from exc
    if base64.b64encode(signed.signature).decode() != signature:
        raise ValueError("sig is not in its canonical form")  # bits that are not used, or no padding: another text
    return signed
