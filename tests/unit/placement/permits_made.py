"""A permit, a node's trust documents, and permits with one change."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andromede_core.documents.canonical import digest
from andromede_core.documents.signed import Signed, message, sign
from andromede_core.facts.world import Fact, World, Zone
from andromede_core.permits.permit import LIFETIME, Contents, Limits, Permit, PermitRejected, Trust, check
from andromede_core.permits.trust_documents import OFFICER_DUTY, Approver, Charter, DenyList, Floor, Key, Keyset
from andromede_core.policy.exemption import Approval, Exemption, Terms

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVER, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
POLICIES: list[Any] = [
    {
        "id": "pol-1",
        "level": "organization",
        "atoms": [
            {"id": "loc", "op": "in", "attr": "location.territory", "value": ["FR"]},
            {
                "id": "keys",
                "op": "subset",
                "attr": "keys.countries",
                "value": ["FR"],
                "roles": ["key"],
                "waivable": True,
            },
        ],
    }
]
ZONE = Zone("fr-idf-1", {"location.territory": (Fact("FR", EVER),), "keys.countries": (Fact(["FR"], EVER),)})
ABROAD = Zone("fr-idf-1", {"location.territory": (Fact("FR", EVER),), "keys.countries": (Fact(["US"], EVER),)})


def mac(key: Key | str) -> Callable[[bytes], bytes]:
    """Return a stand-in for a signature: the id of a key is enough to make it."""
    name = key if isinstance(key, str) else key.id
    return lambda text: hmac.digest(name.encode(), text, hashlib.sha256)


def verifier(key: Key) -> Callable[[bytes, bytes], bool]:
    return lambda text, signature: hmac.compare_digest(mac(key)(text), signature)


def key(name: str, **changes: Any) -> Key:
    default = Key(name, "permit", "Ed25519", "AA==", frozenset({"*"}), frozenset({"*"}), EVER, LATER)
    return replace(default, **changes)


CHARTER = Charter(1, "node-1", "fr-idf-1", frozenset({"eu", "public"}), "S1", EVER, LATER)
KEYSET = Keyset(1, {name: key(name) for name in ("k-1", "k-2")} | {"facts-1": key("facts-1", use="facts")})
TRUST = Trust(
    node="node-1",
    charter=CHARTER,
    keyset=KEYSET,
    deny=DenyList(0),
    floor=Floor("fr-idf-1", 7, "00", NOW),
    world=World({"fr-idf-1": ZONE}),
    now=NOW,
    high_water=NOW,
    is_clock_kept=True,
    verifier=verifier,
)
PERMIT = Permit(
    jti="jti-1",
    op="instance.create",
    resource="vm-1",
    gen=1,
    aud="node-1",
    zone="fr-idf-1",
    roles=("compute", "key"),
    organization="org-1",
    project="prj-1",
    policy_digest=digest(POLICIES),
    epoch=7,
    classifications=("eu",),
    decision="dec-1",
    nbf=NOW,
    exp=NOW + LIFETIME,
    limits=Limits(2, 4096, 20),
    contents=Contents(volumes=("vol-1",), images=("img-1",), nics=("nic-1",), instances=("vm-1",)),
)
SUBJECT = ("instances", "vm-1")


def signed(permit: Permit = PERMIT, key_id: str = "k-1") -> Signed:
    return sign("permit", permit.payload(), key_id=key_id, key=mac(key_id))


def checked(
    document: Signed,
    trust: Trust = TRUST,
    *,
    policies: object = POLICIES,
    ops: Any = ("instance.create",),
    subject: Any = SUBJECT,
    cosignature: Signed | None = None,
) -> Permit:
    return check(document, trust, ops=ops, subject=subject, policies=policies, cosignature=cosignature)


def refusal(document: Signed, trust: Trust = TRUST, **more: Any) -> tuple[str, str]:
    with pytest.raises(PermitRejected) as caught:
        checked(document, trust, **more)
    assert str(caught.value) == f"{caught.value.code}: {caught.value.reason}"
    return caught.value.code, caught.value.reason


def code(document: Signed, trust: Trust = TRUST, **more: Any) -> str:
    return refusal(document, trust, **more)[0]


def altered(**changes: Any) -> Signed:
    """Return the permit, altered after it was signed."""
    genuine = signed()
    return Signed({**genuine.payload, **changes}, genuine.key_id, genuine.signature)


def resigned(**changes: Any) -> Signed:
    """Return the permit, signed by the signer itself with another payload."""
    payload = {name: value for name, value in {**PERMIT.payload(), **changes}.items() if value is not ...}
    return sign("permit", payload, key_id="k-1", key=mac("k-1"))


def with_policies(policies: Any, **changes: Any) -> Signed:
    return signed(replace(PERMIT, policy_digest=digest(policies), **changes))


TERMS = Terms(
    id="ex-1",
    resources=("vm-1",),
    op="instance.create",
    zone="fr-idf-1",
    waived=("pol-1/keys",),
    reason="a storm",
    requested_by="user-1",
    not_before=NOW,
    expires_at=NOW + timedelta(hours=4),
    max_uses=1,
)
APPROVERS = {"sovereignty_officer": ("user-2", "a-2"), "duty_operator": ("user-3", "a-3")}


def approver_key(duty: str, **changes: Any) -> Key:
    person, name = APPROVERS[duty]
    approver = Approver(person, duty, PERMIT.organization if duty == OFFICER_DUTY else "")
    return key(name, **({"use": "approval", "approver": approver} | changes))


WITH_APPROVERS = replace(
    TRUST,
    world=World({"fr-idf-1": ABROAD}),
    keyset=Keyset(1, {**KEYSET.keys, **{name: approver_key(duty) for duty, (_, name) in APPROVERS.items()}}),
)


def with_approver(duty: str, **changes: Any) -> Trust:
    """Return the same with a change of one approver's key in the keyset."""
    changed = approver_key(duty, **changes)
    return replace(WITH_APPROVERS, keyset=Keyset(1, {**WITH_APPROVERS.keyset.keys, changed.id: changed}))


def exempted(terms: Terms = TERMS, approved: Terms | None = None, **changes: Any) -> Signed:
    approvals = []
    for duty, (approver, key_id) in APPROVERS.items():
        text = message("approval", (approved or terms).approval_payload(approver, duty))
        approvals.append(Approval(approver, duty, key_id, mac(key_id)(text)))
    return signed(replace(PERMIT, exemption=Exemption(terms, tuple(approvals)), **changes))
