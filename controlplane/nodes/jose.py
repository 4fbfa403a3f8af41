"""JSON Web Tokens (RFC 7519) signed with permit keys, and the public keys as a JWK Set (RFC 7517), for third parties.

A permit key signs documents of nodes too. What it signs there begins with "andromede/", and here with the base64url of
a header, so that neither is ever taken for the other (andromede_core/documents/signed.py).
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey, OKPKey

from andromede_core.permits.trust_documents import Key
from controlplane.nodes import trust_documents
from controlplane.nodes.signing_keys import SigningKey, is_signer_now

# Of RFC 8037 and RFC 7518. RFC 9864 has a name for the first that few libraries know yet.
ALGORITHMS = {"Ed25519": "EdDSA", "ECDSA-P256-SHA256": "ES256"}
P256_BYTES = 32


def sign_jwt(key: SigningKey, claims: Mapping[str, object], *, typ: str) -> str:
    """Return the token in its compact form (RFC 7515, 7.1)."""
    is_edwards = isinstance(key.private, Ed25519PrivateKey)
    header = {"alg": ALGORITHMS["Ed25519" if is_edwards else "ECDSA-P256-SHA256"], "kid": key.id, "typ": typ}
    text = f"{_encoded(_json(header))}.{_encoded(_json(claims))}"
    signature = key.sign_bytes(text.encode())
    if not is_edwards:
        numbers = decode_dss_signature(signature)
        signature = b"".join(number.to_bytes(P256_BYTES, "big") for number in numbers)
    return f"{text}.{_encoded(signature)}"


def public_jwks() -> dict[str, Any]:
    """Return the keys whose tokens are valid now. Raises NoKeyset."""
    keyset, denied = trust_documents.keys()
    now = [key for key in keyset.keys.values() if is_signer_now(key) and key.id not in denied.kids]
    return {"keys": [_jwk(key) for key in sorted(now, key=lambda key: key.id)]}


def _jwk(key: Key) -> dict[str, Any]:
    kind = OKPKey if key.algorithm == "Ed25519" else ECKey
    public = kind.import_key(base64.b64decode(key.public_key)).as_dict(private=False)
    return {**public, "kid": key.id, "use": "sig", "alg": ALGORITHMS[key.algorithm], "zones": sorted(key.zones)}


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
