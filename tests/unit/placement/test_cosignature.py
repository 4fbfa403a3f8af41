"""Data that needs a sentinel signature, and the validity of one."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from andromede_core.documents.signed import Signed, sign
from andromede_core.permits.permit import Trust
from andromede_core.permits.sentinel_signature import KIND, payload, sentinel_classifications
from andromede_core.permits.trust_documents import DenyList, Key, Keyset
from tests.unit.placement.permits_made import KEYSET, LATER, NOW, PERMIT, SECOND, TRUST, checked, key, mac, refusal
from tests.unit.placement.permits_made import signed as permit_signed


def sentinel(
    name: str = "s-1", *, zones: Iterable[str] = ("*",), names: Iterable[str] = ("eu",), **more: object
) -> Key:
    return key(name, use="sentinel", zones=frozenset(zones), classifications=frozenset(names), **more)


def trusting(*keys: Key, **more: object) -> Trust:
    keyset = Keyset(1, KEYSET.keys | {each.id: each for each in keys})
    return replace(TRUST, keyset=keyset, **more)  # type: ignore[arg-type]


def cosigned(permit: Signed, by: str = "s-1") -> Signed:
    return sign(KIND, payload(permit), key_id=by, key=mac(by))


def refused(trust: Trust, cosignature: Signed | None, permit: Signed | None = None) -> str:
    code, reason = refusal(permit or permit_signed(), trust, cosignature=cosignature)
    assert code == "NOT_COSIGNED"
    return reason


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], set()),
        ([key("k-9", classifications=frozenset({"eu"}))], set()),
        ([sentinel(names=("dr",))], set()),
        ([sentinel()], {"eu"}),
        ([sentinel(zones=("de-rhein-1",))], set()),
        ([sentinel(zones=("de-rhein-1", "fr-idf-1"))], {"eu"}),
        ([sentinel(names=("dr",)), sentinel("s-2", names=("eu", "hds"))], {"eu"}),
        ([sentinel(names=("eu",)), sentinel("s-2", names=("dr",))], {"eu"}),
        ([sentinel(names=("*",))], {"*"}),
        ([sentinel(not_after=NOW)], {"eu"}),
    ],
)
def test_keyset_selects_classifications_for_a_sentinel(keys: list[Key], expected: set[str]) -> None:
    keyset = Keyset(1, {each.id: each for each in keys})
    assert sentinel_classifications(keyset, zone="fr-idf-1", classifications=("eu", "public")) == expected


def test_wildcard_sentinel_covers_unclassified_data() -> None:
    assert sentinel_classifications(
        Keyset(1, {"s-1": sentinel(names=("*",))}), zone="fr-idf-1", classifications=()
    ) == {"*"}
    assert sentinel_classifications(Keyset(1, {"s-1": sentinel()}), zone="fr-idf-1", classifications=()) == set()


@pytest.mark.parametrize("names", [("eu",), ("eu", "dr"), ("*",)])
def test_permit_with_a_sentinel_signature_is_accepted(names: tuple[str, ...]) -> None:
    permit = permit_signed()
    assert checked(permit, trusting(sentinel(names=names)), cosignature=cosigned(permit)) == PERMIT


def test_sentinel_of_the_zone_suffices() -> None:
    permit = permit_signed()
    assert checked(permit, trusting(sentinel(zones=("fr-idf-1",))), cosignature=cosigned(permit)) == PERMIT


def test_sentinel_payload_has_permit_id_and_document_digest() -> None:
    permit = permit_signed()
    assert payload(permit) == {"jti": "jti-1", "permit": hashlib.sha256(permit.document()).hexdigest()}


def test_unneeded_sentinel_signature_is_accepted() -> None:
    assert checked(permit_signed(), cosignature=cosigned(permit_signed())) == PERMIT


def test_missing_sentinel_signature_is_refused() -> None:
    trust, needs = trusting(sentinel(zones=("fr-idf-1",), names=("public", "eu"))), "needs a sentinel's signature"
    assert refused(trust, None) == f"data of these classifications {needs}: eu"
    both = permit_signed(replace(PERMIT, classifications=("public", "eu")))
    assert refused(trust, None, both) == f"data of these classifications {needs}: eu, public"


@pytest.mark.parametrize(
    "trust",
    [
        trusting(sentinel(), deny=DenyList(1, kids=frozenset({"s-1"}))),
        trusting(sentinel("s-2")),
        trusting(sentinel(not_after=NOW)),
        trusting(sentinel(not_before=NOW + SECOND)),
        trusting(sentinel(zones=("de-rhein-1",)), sentinel("s-2")),
        trusting(sentinel(names=("dr",)), sentinel("s-2")),
        trusting(sentinel(), sentinel("s-2", names=("*",))),
        trusting(key("s-1"), sentinel("s-2")),
    ],
)
def test_key_without_the_sentinel_purpose_is_refused(trust: Trust) -> None:
    classifications = sentinel_classifications(trust.keyset, zone="fr-idf-1", classifications=PERMIT.classifications)
    reason = refused(trust, cosigned(permit_signed()))
    assert reason == f"key s-1 is no sentinel's for fr-idf-1 and {', '.join(sorted(classifications))} at that time"


def test_sentinel_key_must_be_valid_when_the_permit_was_issued() -> None:
    permit = permit_signed()
    trust = trusting(sentinel(not_before=NOW, not_after=NOW + SECOND))
    later = replace(trust, now=NOW + timedelta(minutes=1), high_water=NOW)
    assert checked(permit, later, cosignature=cosigned(permit)) == PERMIT


def test_forged_sentinel_signature_is_refused() -> None:
    genuine = cosigned(permit_signed())
    assert refused(trusting(sentinel()), replace(genuine, signature=b"x")) == "key s-1 did not sign this cosignature"


def test_sentinel_signature_of_another_permit_is_refused() -> None:
    other = permit_signed(replace(PERMIT, jti="jti-2"))
    assert refused(trusting(sentinel()), cosigned(other)) == "the sentinel's signature is under another permit"
    same_permit_by_another_key = permit_signed(key_id="k-2")
    assert refused(trusting(sentinel()), cosigned(same_permit_by_another_key)) == (
        "the sentinel's signature is under another permit"
    )


def test_permit_signed_only_by_a_sentinel_is_refused() -> None:
    code, _ = refusal(permit_signed(key_id="s-1"), trusting(sentinel(not_after=LATER)), cosignature=None)
    assert code == "UNKNOWN_KEY"
