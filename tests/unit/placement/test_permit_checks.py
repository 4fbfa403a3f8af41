"""Permit checks of a node, in order: each with the last value that passes and the first that fails."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from andromede_core.documents.canonical import digest
from andromede_core.documents.parsing import Malformed
from andromede_core.documents.signed import Signed, message, read, sign
from andromede_core.facts.world import Fact, World, Zone
from andromede_core.permits.permit import (
    CLOCK_STEP,
    CONTENTS,
    EARLY,
    LIFETIME,
    SINCE,
    Contents,
    Limits,
    Permit,
    PermitRejected,
    Trust,
    expiry,
    listed,
    parse,
)
from andromede_core.permits.trust_documents import Approver, Charter, DenyList, Keyset
from andromede_core.policy.exemption import Terms
from tests.unit.placement.permits_made import (
    ABROAD,
    CHARTER,
    EVER,
    KEYSET,
    NOW,
    PERMIT,
    POLICIES,
    SECOND,
    TERMS,
    TRUST,
    WITH_APPROVERS,
    ZONE,
    altered,
    checked,
    code,
    exempted,
    key,
    mac,
    refusal,
    resigned,
    signed,
    with_approver,
    with_policies,
)


def test_a_good_permit_is_the_one_that_was_signed() -> None:
    assert checked(signed()) == PERMIT
    assert checked(read(signed().document())) == PERMIT
    assert parse(PERMIT.payload()) == PERMIT


@pytest.mark.parametrize("name", sorted(PERMIT.payload()))
def test_nothing_in_a_permit_can_be_altered(name: str) -> None:
    assert code(altered(**{name: "x"})) == "BAD_SIGNATURE"


@pytest.mark.parametrize("name", sorted(PERMIT.payload().keys() - set(SINCE)))
def test_every_field_must_be_there_and_of_its_type(name: str) -> None:
    assert refusal(resigned(**{name: ...})) == ("MALFORMED", f"permit: {name!r} is missing.")
    wrongs: list[Any] = [None, 1.5, [7], [[]]]
    for wrong in wrongs:
        if (name, wrong) != ("exemption", None):
            refused, reason = refusal(resigned(**{name: wrong}))
            assert (refused, reason.startswith(f"permit.{name}")) == ("MALFORMED", True)


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": 0},
        {"v": True},
        {"gen": -1},
        {"epoch": -1},
        {"roles": ["everything"]},
        {"roles": "compute"},
        {"roles": [7]},
        {"jti": ""},
        {"zone": 7},
        {"limits": {"vcpus": 1, "memory_mib": 1}},
        {"limits": {"vcpus": 1, "memory_mib": 1, "disk_gib": -1}},
        {"limits": {"vcpus": 1, "memory_mib": 1, "disk_gib": 1, "gpus": 1}},
        {"volumes": [""]},
        {"nbf": "2026-11-24"},
        {"exp": "2026-11-24T12:00:00"},
        {"more": 1},
        {"exemption": {}},
        {"exemption": "none"},
    ],
)
def test_invalid_field_is_malformed_even_when_signed(changes: dict[str, Any]) -> None:
    assert code(resigned(**changes)) == "MALFORMED"
    with pytest.raises(Malformed, match="^permit"):
        parse({**PERMIT.payload(), **changes})


@pytest.mark.parametrize(
    "changes", [{"gen": 2**53}, {"epoch": 2**53}, {"limits": {"vcpus": 1, "memory_mib": 1, "disk_gib": 2**53}}]
)
def test_number_beyond_53_bits_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match=f"^permit.{next(iter(changes))}"):
        parse({**PERMIT.payload(), **changes})


def test_the_largest_numbers_are_read() -> None:
    largest = replace(PERMIT, gen=2**53 - 1, epoch=2**53 - 1, limits=Limits(0, 2**53 - 1, 2**53 - 1))
    assert parse(largest.payload()) == largest
    assert parse(replace(PERMIT, gen=0, epoch=0).payload()).gen == 0


def test_a_document_of_another_kind_is_no_permit() -> None:
    other = sign("fact", PERMIT.payload(), key_id="k-1", key=mac("k-1"))
    assert code(other) == "BAD_SIGNATURE"
    assert message("permit", {}) == b"andromede/permit/v1\n{}"


# --- keys


def test_only_permit_keys_sign_permits() -> None:
    assert code(signed(key_id="k-9")) == "UNKNOWN_KEY"
    assert code(signed(key_id="facts-1")) == "UNKNOWN_KEY"
    assert code(Signed(PERMIT.payload(), "k-2", mac("k-1")(message("permit", PERMIT.payload())))) == "BAD_SIGNATURE"
    assert checked(signed(key_id="k-2")) == PERMIT


def test_a_revoked_key_signs_nothing() -> None:
    revoked = replace(TRUST, deny=DenyList(1, kids=frozenset({"k-1"})))
    assert code(signed(), revoked) == "REVOKED_KEY"
    assert checked(signed(key_id="k-2"), revoked) == PERMIT


@pytest.mark.parametrize(
    ("scope", "is_good"),
    [
        ({"zones": frozenset({"fr-idf-1"})}, True),
        ({"zones": frozenset({"fr-idf-2"})}, False),
        ({"zones": frozenset()}, False),
        ({"classifications": frozenset({"eu", "hds"})}, True),
        ({"classifications": frozenset({"hds"})}, False),
    ],
)
def test_key_is_valid_for_its_zones_and_classifications(scope: dict[str, Any], is_good: bool) -> None:
    trust = replace(TRUST, keyset=Keyset(1, {"k-1": key("k-1", **scope)}))
    assert (checked(signed(), trust) == PERMIT) if is_good else (code(signed(), trust) == "OUT_OF_SCOPE")


@pytest.mark.parametrize(
    ("interval", "is_good"),
    [
        ({"not_before": NOW}, True),
        ({"not_before": NOW + SECOND}, False),
        ({"not_after": NOW + SECOND}, True),
        ({"not_after": NOW}, False),
    ],
)
def test_key_signs_only_during_its_interval(interval: dict[str, Any], is_good: bool) -> None:
    trust = replace(TRUST, keyset=Keyset(1, {"k-1": key("k-1", **interval)}))
    assert (checked(signed(), trust) == PERMIT) if is_good else (code(signed(), trust) == "UNKNOWN_KEY")


# --- clock


def test_unsynchronised_or_set_back_clock_is_not_trusted() -> None:
    assert code(signed(), replace(TRUST, is_clock_kept=False)) == "CLOCK_UNTRUSTED"
    assert checked(signed(), replace(TRUST, high_water=NOW + CLOCK_STEP)) == PERMIT
    assert code(signed(), replace(TRUST, high_water=NOW + CLOCK_STEP + SECOND)) == "CLOCK_UNTRUSTED"
    assert checked(signed(), replace(TRUST, high_water=NOW - LIFETIME)) == PERMIT


def test_permit_holds_from_its_beginning_to_its_end() -> None:
    def at(moment: datetime) -> Trust:
        return replace(TRUST, now=moment, high_water=moment)

    assert checked(signed(), at(NOW - EARLY)) == PERMIT
    assert code(signed(), at(NOW - EARLY - SECOND)) == "NOT_YET_VALID"
    assert checked(signed(), at(NOW + LIFETIME - SECOND)) == PERMIT
    assert code(signed(), at(NOW + LIFETIME)) == "EXPIRED"
    assert code(signed(replace(PERMIT, exp=NOW + LIFETIME + SECOND))) == "EXPIRED"
    assert (EARLY, LIFETIME, CLOCK_STEP) == (60 * SECOND, 300 * SECOND, 2 * SECOND)


def test_permit_expires_with_its_inputs() -> None:
    assert expiry(NOW) == NOW + LIFETIME
    assert expiry(NOW, None, NOW + 2 * LIFETIME) == NOW + LIFETIME
    assert expiry(NOW, None, NOW + SECOND, NOW + 2 * SECOND) == NOW + SECOND


END = datetime(2027, 1, 31, tzinfo=UTC)


def test_permit_ends_at_midnight_with_its_certificate() -> None:
    """The certificate behind a permit ends at midnight: used a second before it is good, at midnight it is not."""
    issued = END - 2 * SECOND
    permit = replace(PERMIT, nbf=issued, exp=expiry(issued, END))
    before = replace(TRUST, now=END - SECOND, high_water=END - SECOND)
    assert checked(signed(permit), before) == permit
    assert code(signed(permit), replace(before, now=END, high_water=END)) == "EXPIRED"


# --- place and purpose


def test_a_permit_is_for_one_node_in_one_zone() -> None:
    assert code(signed(), replace(TRUST, node="node-2")) == "WRONG_NODE"
    assert code(signed(replace(PERMIT, aud="node-2"))) == "WRONG_NODE"
    assert code(signed(replace(PERMIT, zone="us-va-1"))) == "WRONG_ZONE"


@pytest.mark.parametrize(
    ("charter", "expected"),
    [
        (None, "NO_CHARTER"),
        (replace(CHARTER, node="node-2"), "NO_CHARTER"),
        (replace(CHARTER, valid_from=NOW + SECOND), "NO_CHARTER"),
        (replace(CHARTER, valid_to=NOW), "NO_CHARTER"),
        (replace(CHARTER, zone="us-va-1"), "WRONG_ZONE"),
        (replace(CHARTER, classifications=frozenset({"public"})), "NOT_CLEARED"),
        (replace(CHARTER, classifications=frozenset()), "NOT_CLEARED"),
    ],
)
def test_charter_limits_node_zone_and_time(charter: Charter | None, expected: str) -> None:
    assert code(signed(), replace(TRUST, charter=charter)) == expected


@pytest.mark.parametrize(
    "charter",
    [
        replace(CHARTER, valid_from=NOW),
        replace(CHARTER, valid_to=NOW + SECOND),
        replace(CHARTER, classifications=frozenset({"*"})),
    ],
)
def test_charter_that_just_suffices_is_accepted(charter: Charter) -> None:
    assert checked(signed(), replace(TRUST, charter=charter)) == PERMIT


def test_permit_is_for_its_operation_and_resources() -> None:
    assert checked(signed(), ops={"instance.start", "instance.create"}) == PERMIT
    assert code(signed(), ops=["instance.start"]) == "WRONG_OPERATION"
    assert code(signed(), ops=[]) == "WRONG_OPERATION"
    assert checked(signed(), subject=("volumes", "vol-1")) == PERMIT
    assert code(signed(), subject=("volumes", "vm-1")) == "WRONG_RESOURCE"
    assert code(signed(), subject=("instances", "vm-2")) == "WRONG_RESOURCE"


@pytest.mark.parametrize("kind", CONTENTS)
def test_contents_must_be_listed(kind: str) -> None:
    permit = replace(PERMIT, contents=Contents(**{kind: ("a", "b")}))
    listed(permit, kind, [])
    listed(permit, kind, ["a", "b"])
    with pytest.raises(PermitRejected, match=f"NOT_LISTED: .* c .*{kind}"):
        listed(permit, kind, ["a", "c"])


# --- standing


def test_a_permit_rests_on_the_facts_that_the_node_holds() -> None:
    assert code(signed(), replace(TRUST, floor=None)) == "STALE_FACTS"
    assert code(signed(replace(PERMIT, epoch=8))) == "STALE_FACTS"
    assert code(signed(replace(PERMIT, epoch=6))) == "REVOKED_BY_EPOCH"


@pytest.mark.parametrize("denied", [{"jtis": {"jti-1"}}, {"resources": {"vm-1"}}, {"nodes": {"node-1"}}])
def test_denied_permit_is_revoked(denied: dict[str, set[str]]) -> None:
    deny = DenyList(1, **{name: frozenset(values) for name, values in denied.items()})
    assert code(signed(), replace(TRUST, deny=deny)) == "REVOKED"
    others = DenyList(1, **{name: frozenset({"other"}) for name in denied})
    assert checked(signed(), replace(TRUST, deny=others)) == PERMIT


# --- policies


def test_policies_must_match_the_permit() -> None:
    assert code(signed(), policies=[]) == "POLICY_MISMATCH"
    assert code(signed(), policies=[*POLICIES, *POLICIES]) == "POLICY_MISMATCH"


def test_no_policies_at_all_admit() -> None:
    assert checked(with_policies([]), policies=[]).policy_digest == digest([])


@pytest.mark.parametrize("policies", [{}, None, [7], [{"id": "x"}], [{**POLICIES[0], "level": "galaxy"}]])
def test_policies_that_do_not_parse_are_malformed(policies: Any) -> None:
    assert code(with_policies(policies), policies=policies) == "MALFORMED"


def test_node_evaluates_its_own_facts() -> None:
    assert code(signed(), replace(TRUST, world=World({"fr-idf-1": ABROAD}))) == "POLICY_REFUSES"
    assert code(signed(), replace(TRUST, world=World({"fr-idf-1": Zone("fr-idf-1")}))) == "POLICY_REFUSES"
    assert code(signed(), replace(TRUST, world=World())) == "POLICY_REFUSES"


def test_permit_with_too_few_roles_does_not_skip_clauses() -> None:
    abroad = replace(TRUST, world=World({"fr-idf-1": ABROAD}))
    assert code(signed(replace(PERMIT, roles=("compute",))), abroad) == "POLICY_REFUSES"
    console = replace(PERMIT, op="console.read", roles=("console",))
    assert checked(signed(console), abroad, ops=("console.read",)) == console
    with_key = replace(console, roles=("console", "key"))
    assert code(signed(with_key), abroad, ops=("console.read",)) == "POLICY_REFUSES"


def test_a_refusal_names_all_clauses_that_do_not_hold() -> None:
    with pytest.raises(PermitRejected) as caught:
        checked(
            signed(),
            replace(TRUST, world=World({"fr-idf-1": Zone("fr-idf-1", {"keys.countries": (Fact(["US"], EVER),)})})),
        )
    assert caught.value.reason == (
        "zone fr-idf-1 does not satisfy: organization/loc ATTR_UNKNOWN, organization/keys ATTR_MISMATCH"
    )


# --- exemptions


def test_two_approvers_waive_a_waivable_clause() -> None:
    assert code(signed(), WITH_APPROVERS) == "POLICY_REFUSES"
    exemption = checked(exempted(), WITH_APPROVERS).exemption
    assert exemption is not None and exemption.terms == TERMS


def test_unwaivable_clause_refuses_under_an_exemption() -> None:
    nowhere = replace(WITH_APPROVERS, world=World({"fr-idf-1": Zone("fr-idf-1")}))
    assert code(exempted(replace(TERMS, waived=("pol-1/keys", "pol-1/loc"))), nowhere) == "POLICY_REFUSES"
    assert code(exempted(replace(TERMS, waived=("pol-1/loc",))), WITH_APPROVERS) == "POLICY_REFUSES"


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (replace(TERMS, resources=("vm-2",)), "NOT_EXEMPTED"),
        (replace(TERMS, op="instance.start"), "NOT_EXEMPTED"),
        (replace(TERMS, zone="us-va-1"), "NOT_EXEMPTED"),
        (replace(TERMS, expires_at=NOW), "EXEMPTION_OVER"),
        (replace(TERMS, requested_by="user-2"), "SAME_PERSON"),
    ],
)
def test_exemption_is_limited_to_its_terms(terms: Terms, expected: str) -> None:
    refused, reason = refusal(exempted(terms), WITH_APPROVERS)
    assert (refused, "exemption ex-1" in reason) == (expected, True)


@pytest.mark.parametrize("name", ["dr", "classified"])
def test_classification_that_is_never_exempted_refuses(name: str) -> None:
    """Whatever it was when two people signed."""
    cleared = replace(WITH_APPROVERS, charter=replace(CHARTER, classifications=frozenset({"*"})))
    assert checked(exempted(), cleared).exemption is not None
    assert code(exempted(classifications=("eu", name)), cleared) == "NEVER_EXEMPTED"


def test_exemption_with_other_approvals_is_refused() -> None:
    assert code(exempted(TERMS, approved=replace(TERMS, reason="no storm")), WITH_APPROVERS) == "NOT_APPROVED"
    assert code(exempted(), replace(WITH_APPROVERS, keyset=KEYSET)) == "NOT_APPROVED"
    denied = replace(WITH_APPROVERS, deny=DenyList(1, kids=frozenset({"a-3"})))
    assert code(exempted(), denied) == "REVOKED_KEY"


@pytest.mark.parametrize(
    "somebody_else",
    [
        Approver("user-3", "sovereignty_officer", "org-1"),
        Approver("user-2", "sovereignty_officer", "org-2"),
        Approver("user-2", "sovereignty_officer", ""),
        Approver("user-2", "duty_operator", ""),
    ],
)
def test_keyset_decides_the_approver_and_role_of_a_key(somebody_else: Approver) -> None:
    """The operator alone, with any number of keys, makes no exemption: user-2's key is its organization's."""
    assert code(exempted(), with_approver("sovereignty_officer", approver=somebody_else)) == "NOT_APPROVED"


def test_approver_key_must_be_valid_at_the_request() -> None:
    assert code(exempted(), with_approver("duty_operator", not_after=NOW)) == "NOT_APPROVED"
    assert code(exempted(), with_approver("duty_operator", not_before=NOW + SECOND)) == "NOT_APPROVED"
    checked(exempted(), with_approver("duty_operator", not_before=NOW, not_after=NOW + SECOND))


# --- the order of the checks

FAULTS: list[tuple[str, Callable[[Permit, Trust], tuple[Permit, Trust]]]] = [
    ("CLOCK_UNTRUSTED", lambda permit, trust: (permit, replace(trust, is_clock_kept=False))),
    ("WRONG_NODE", lambda permit, trust: (replace(permit, aud="node-2"), trust)),
    ("NO_CHARTER", lambda permit, trust: (permit, replace(trust, charter=None))),
    ("WRONG_OPERATION", lambda permit, trust: (replace(permit, op="instance.start"), trust)),
    ("EXPIRED", lambda permit, trust: (replace(permit, exp=NOW), trust)),
    ("REVOKED_BY_EPOCH", lambda permit, trust: (replace(permit, epoch=6), trust)),
    ("REVOKED", lambda permit, trust: (permit, replace(trust, deny=DenyList(1, jtis=frozenset({"jti-1"}))))),
    ("POLICY_REFUSES", lambda permit, trust: (permit, replace(trust, world=World()))),
]


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_first_fault_in_the_order_is_reported(first: int) -> None:
    permit, trust = PERMIT, TRUST
    for _, spoil in FAULTS[first:]:
        permit, trust = spoil(permit, trust)
    assert code(signed(permit), trust) == FAULTS[first][0]


def test_key_and_signature_are_checked_first() -> None:
    bad = replace(TRUST, is_clock_kept=False, charter=None)
    assert code(signed(key_id="k-9"), bad) == "UNKNOWN_KEY"
    assert code(altered(aud="node-2"), bad) == "BAD_SIGNATURE"
    assert code(altered(aud="node-2"), replace(bad, deny=DenyList(1, kids=frozenset({"k-1"})))) == "REVOKED_KEY"
    assert code(resigned(v=2), bad) == "MALFORMED"


def test_node_evaluates_its_own_named_sets() -> None:
    policies = [
        {
            "id": "pol-1",
            "level": "organization",
            "atoms": [{"id": "loc", "op": "in", "attr": "location.territory", "value": ["@EU"]}],
        }
    ]
    union = replace(TRUST, world=World({"fr-idf-1": ZONE}, sets={"@EU": (Fact(["FR"], EVER),)}))
    assert checked(with_policies(policies), union, policies=policies)
    assert code(with_policies(policies), TRUST, policies=policies) == "POLICY_REFUSES"
    shrunk = replace(TRUST, world=World({"fr-idf-1": ZONE}, sets={"@EU": (Fact(["DE"], EVER),)}))
    assert code(with_policies(policies), shrunk, policies=policies) == "POLICY_REFUSES"


def test_operation_without_roles_uses_those_of_the_permit() -> None:
    permit = replace(PERMIT, op="image.fetch")
    assert checked(signed(permit), ops=["image.fetch"]) == permit
    abroad = replace(TRUST, world=World({"fr-idf-1": ABROAD}))
    assert code(signed(permit), abroad, ops=["image.fetch"]) == "POLICY_REFUSES"
