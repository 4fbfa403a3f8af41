"""An operator with a fresh sign-in: only such a person can attest that a node is off."""

import base64
import secrets
import time
from dataclasses import dataclass

import httpx
from django_otp.oath import TOTP

from scripts.control_plane import Stack

EMAIL = "attestor@example.org"
# A proof is good for five minutes.
PROVE_EVERY_S = 240.0


@dataclass
class Attestor:
    """An attestor. `secret`: of the session. `key`: of the second factor's codes. `proved_at`: monotonic."""

    secret: str
    key: str
    proved_at: float

    @classmethod
    def hired(cls, stack: Stack) -> "Attestor":
        """Create an attestor with password, session and second factor, in a running cloud."""
        password = secrets.token_urlsafe(16)
        stack.manage("create_user", EMAIL, "--operator")
        stack.manage("set_password", EMAIL, stdin=password)
        with httpx.Client(base_url=stack.url, timeout=20) as http:
            begun = http.post("/v1/sessions", json={"email": EMAIL, "password": password}).raise_for_status().json()
            http.headers["Authorization"] = f"Bearer {begun['secret']}"
            key = http.post("/v1/totp", json={}).raise_for_status().json()["secret"]
            attestor = cls(begun["secret"], key, time.monotonic())
            http.post("/v1/totp/actions/confirm", json={"code": attestor.code()}).raise_for_status()
        return attestor

    @property
    def needs_proof(self) -> bool:
        return time.monotonic() - self.proved_at > PROVE_EVERY_S

    def code(self) -> str:
        """Return the current code of the authenticator."""
        reader = TOTP(base64.b32decode(self.key))
        reader.time = time.time()
        return f"{reader.token():06}"
