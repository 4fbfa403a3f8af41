"""A passkey in software, with its browser: the device's answers to navigator.credentials."""

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """A passkey. `is_verifying`: it verifies its user. `counts`: its signatures. Change `key` for another device."""

    origin: str = "https://console.example"
    domain: str = "console.example"
    is_verifying: bool = True
    counts: bool = True
    count: int = 0
    user: bytes = b""
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: Any) -> dict[str, Any]:
        self.user = unb64(options["user"]["id"])
        key = struct.pack(">H", len(self.credential_id)) + self.credential_id + cbor2.dumps(self._cose())
        attested = self._data(HAS_KEY) + bytes(16) + key
        statement = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": attested})
        response = {
            "clientDataJSON": b64(self._client("webauthn.create", options)),
            "attestationObject": b64(statement),
            "transports": ["internal"],
        }
        return self._credential(response)

    def get(self, options: Any) -> dict[str, Any]:
        client, data = self._client("webauthn.get", options), self._data()
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": b64(client),
            "authenticatorData": b64(data),
            "signature": b64(signature),
            "userHandle": b64(self.user),
        }
        return self._credential(response)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = b64(self.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
            "authenticatorAttachment": "platform",
        }

    def _client(self, kind: str, options: Any) -> bytes:
        client_data = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(client_data).encode()

    def _data(self, flags: int = 0) -> bytes:
        self.count += self.counts
        flags |= PRESENT | (VERIFIED if self.is_verifying else 0)
        return hashlib.sha256(self.domain.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _cose(self) -> dict[int, Any]:
        """Return the key in COSE form (RFC 9053 §7.1.1: ES256 on P-256)."""
        public = self.key.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
