"""Why a node refuses a permit, in the words that its operator reads."""

from dataclasses import replace

import pytest

from andromede_core.documents.signed import Signed
from andromede_core.permits.permit import LIFETIME, Contents, Trust
from andromede_core.permits.trust_documents import DenyList, Keyset
from tests.unit.placement.permits_made import (
    CHARTER,
    NOW,
    PERMIT,
    POLICIES,
    SECOND,
    TRUST,
    WITH_APPROVERS,
    altered,
    exempted,
    key,
    refusal,
    signed,
    with_approver,
    with_policies,
)

# What the operator of a node reads.
REASONS: list[tuple[Signed, Trust, str, str]] = [
    (signed(key_id="k-9"), TRUST, "UNKNOWN_KEY", "key k-9 is not in the keyset for permits"),
    (signed(), replace(TRUST, deny=DenyList(1, kids=frozenset({"k-1"}))), "REVOKED_KEY", "key k-1 was revoked"),
    (altered(jti="x"), TRUST, "BAD_SIGNATURE", "key k-1 did not sign this permit"),
    (
        signed(),
        replace(TRUST, keyset=Keyset(1, {"k-1": key("k-1", zones=frozenset())})),
        "OUT_OF_SCOPE",
        "key k-1 may not speak for fr-idf-1 and these classifications",
    ),
    (signed(), replace(TRUST, is_clock_kept=False), "CLOCK_UNTRUSTED", "nothing keeps this node's clock"),
    (
        signed(),
        replace(TRUST, high_water=NOW + LIFETIME),
        "CLOCK_UNTRUSTED",
        "the clock went back: it was 2026-11-24T12:05:00Z already",
    ),
    (signed(replace(PERMIT, aud="node-2")), TRUST, "WRONG_NODE", "the permit is for node node-2"),
    (signed(), replace(TRUST, charter=None), "NO_CHARTER", "this node has no charter"),
    (
        signed(),
        replace(TRUST, charter=replace(CHARTER, valid_to=NOW)),
        "NO_CHARTER",
        "this node's charter does not hold at this time",
    ),
    (
        signed(replace(PERMIT, zone="us-va-1")),
        TRUST,
        "WRONG_ZONE",
        "the permit is for zone us-va-1; this node is in fr-idf-1",
    ),
    (
        signed(),
        replace(TRUST, charter=replace(CHARTER, classifications=frozenset())),
        "NOT_CLEARED",
        "this node's charter does not allow these classifications",
    ),
    (signed(replace(PERMIT, op="volume.create")), TRUST, "WRONG_OPERATION", "the permit is for volume.create"),
    (
        signed(replace(PERMIT, contents=Contents())),
        TRUST,
        "WRONG_RESOURCE",
        "the permit is for vm-1 and does not name vm-1",
    ),
    (
        signed(),
        replace(TRUST, keyset=Keyset(1, {"k-1": key("k-1", not_after=NOW)})),
        "UNKNOWN_KEY",
        "key k-1 was not in use when the permit was made",
    ),
    (
        signed(replace(PERMIT, nbf=NOW + LIFETIME, exp=NOW + LIFETIME)),
        TRUST,
        "NOT_YET_VALID",
        "the permit begins at 2026-11-24T12:05:00Z",
    ),
    (signed(replace(PERMIT, exp=NOW)), TRUST, "EXPIRED", "the permit ended at 2026-11-24T12:00:00Z"),
    (
        signed(),
        replace(TRUST, floor=None),
        "STALE_FACTS",
        "this node does not hold the facts that the permit rests on yet",
    ),
    (
        signed(replace(PERMIT, epoch=6)),
        TRUST,
        "REVOKED_BY_EPOCH",
        "the facts have changed since the permit was made",
    ),
    (
        signed(),
        replace(TRUST, deny=DenyList(1, jtis=frozenset({"jti-1"}))),
        "REVOKED",
        "the permit, its resource or this node was denied",
    ),
    (
        exempted(),
        replace(WITH_APPROVERS, deny=DenyList(1, kids=frozenset({"a-2", "a-3"}))),
        "REVOKED_KEY",
        "an approval is signed by a-2, which was revoked",
    ),
    (
        exempted(),
        with_approver("duty_operator", not_before=NOW + SECOND),
        "NOT_APPROVED",
        "key a-3 was not valid when exemption ex-1 was requested",
    ),
    (
        exempted(),
        with_approver("duty_operator", use="permit", approver=None),
        "NOT_APPROVED",
        "key a-3 is not this person's for the duty duty_operator",
    ),
    (
        signed(replace(PERMIT, policy_digest="x")),
        TRUST,
        "POLICY_MISMATCH",
        "the policies are not those that the permit was made for",
    ),
]


@pytest.mark.parametrize(("document", "trust", "expected", "reason"), REASONS)
def test_refused_permit_has_a_reason(document: Signed, trust: Trust, expected: str, reason: str) -> None:
    assert refusal(document, trust) == (expected, reason)


def test_malformed_policy_has_a_path_in_the_reason() -> None:
    assert refusal(with_policies({}), policies={}) == ("MALFORMED", "policies: must be a list.")
    broken = [{**POLICIES[0], "level": "galaxy"}]
    assert refusal(with_policies(broken), policies=broken)[1].startswith("/level: must be one of")
