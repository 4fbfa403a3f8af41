"""Signature checks without a library, on the vectors of Project Wycheproof (wycheproof/README.md)."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from andromede_core.evidence import ed25519, p256

FOLDER = Path(__file__).parent / "wycheproof"
SPKI_OF_ED25519 = bytes.fromhex("302a300506032b6570032100")  # RFC 8410


def verify_ed25519(spki: bytes, signature: bytes, message: bytes) -> bool:
    return ed25519.verify(spki.removeprefix(SPKI_OF_ED25519), signature, message)


@pytest.mark.parametrize(
    ("name", "verify"), [("ed25519", verify_ed25519), ("ecdsa_p256_sha256", p256.verify)], ids=["ed25519", "p256"]
)
def test_verdicts_agree_with_the_vectors(name: str, verify: Callable[[bytes, bytes, bytes], bool]) -> None:
    """None is accepted that is invalid, or of which implementations may differ ("acceptable": other forms of DER)."""
    document = json.loads((FOLDER / f"{name}.json").read_text())
    cases = [(group["key"], case) for group in document["groups"] for case in group["tests"]]
    wrong = [
        (case["tcId"], case["comment"], case["result"])
        for key, case in cases
        if verify(bytes.fromhex(key), bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
        != (case["result"] == "valid")
    ]
    assert len(cases) > 100
    assert wrong == []
