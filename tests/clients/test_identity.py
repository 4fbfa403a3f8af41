"""Identity documents in the SDK and on the command line: what is genuine, and what is refused, without a network."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import ECKey, OKPKey

from andromede_sdk.identity import IdentityRefused, verify_identity
from controlplane.nodes.jose import sign_jwt
from controlplane.nodes.signing_keys import SigningKey
from controlplane.signer.instance_metadata import TYP
from tests.clients.cli import Inside, inside
from tests.clients.conftest import Live

NOW_S = 1_800_000_000
ISSUER = "https://cloud.example.org"
CLAIMS = {"iss": ISSUER, "sub": "one", "iat": NOW_S, "nbf": NOW_S, "exp": NOW_S + 3600, "zone": "fr-idf-1"}
KEYS = [
    SigningKey("signer", Ed25519PrivateKey.generate()),
    SigningKey("signer", ec.generate_private_key(ec.SECP256R1())),
]


def published(*keys: SigningKey, zones: Sequence[str] = ("*",)) -> dict[str, Any]:
    found = []
    for key in keys:
        kind = OKPKey if isinstance(key.private, Ed25519PrivateKey) else ECKey
        public = kind.import_key(base64.b64decode(key.public_key)).as_dict(private=False)
        found.append({**public, "kid": key.id, "zones": list(zones)})
    return {"keys": found}


def document(key: SigningKey = KEYS[0], typ: str = TYP, **changes: object) -> str:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return sign_jwt(key, claims, typ=typ)


def unsigned(header: Mapping[str, object]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, CLAIMS)]
    return ".".join([*parts, ""])


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("now_s", [NOW_S - 59, NOW_S, NOW_S + 3659])
def test_genuine_document_is_verified(key: SigningKey, now_s: int) -> None:
    assert verify_identity(document(key), published(*KEYS), issuer=ISSUER, now_s=now_s) == CLAIMS


@pytest.mark.parametrize(
    "text",
    [
        document(SigningKey("signer", Ed25519PrivateKey.generate())),
        document(typ="JWT"),
        document(exp=NOW_S - 61),
        document(nbf=NOW_S + 61),
        document(exp=None),
        document(sub=None),
        document(iss="https://other.example.org"),
        document()[:-4] + "AAAA",
        unsigned({"alg": "none", "typ": TYP, "kid": KEYS[0].id}),
        unsigned({"alg": "HS256", "typ": TYP, "kid": KEYS[0].id}),
        "no.jwt",
        "",
    ],
)
def test_other_documents_are_refused(text: str) -> None:
    with pytest.raises(IdentityRefused):
        verify_identity(text, published(*KEYS), issuer=ISSUER, now_s=NOW_S)


def test_key_of_other_zones_signs_for_none_but_these() -> None:
    assert verify_identity(document(), published(*KEYS, zones=("fr-idf-1",)), now_s=NOW_S)["zone"] == "fr-idf-1"
    for zones in (("de-fra-1",), ()):
        with pytest.raises(IdentityRefused, match="does not sign for the zone"):
            verify_identity(document(), published(*KEYS, zones=zones), now_s=NOW_S)


@pytest.fixture
def cli(tmp_path: Path, live: Live) -> Inside:
    return inside(tmp_path, live, live.token, ANDROMEDE_PROJECT="demo")


def test_command_verifies_with_a_file_of_keys(cli: Inside, tmp_path: Path) -> None:
    keys, good, bad = tmp_path / "keys.json", tmp_path / "good.jwt", tmp_path / "bad.jwt"
    keys.write_text(json.dumps(published(*KEYS)))
    good.write_text(document(iat=1, nbf=1, exp=2**33) + "\n")
    bad.write_text(document(exp=1))
    assert json.loads(cli.ok("instance", "identity-keys").out)["keys"]
    verified = cli.ok("instance", "identity-verify", str(good), "--keys", str(keys), "--issuer", ISSUER, "-o", "json")
    assert verified.json["sub"] == "one"
    refused = cli("instance", "identity-verify", str(bad), "--keys", str(keys))
    assert refused.code == 1 and "not valid now" in refused.err
    assert cli("instance", "identity-verify", str(good)).code == 1, "the keys of this API are others"
