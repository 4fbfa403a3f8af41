"""Certificates: what a clause may demand of one, in which order it is checked, and until when the answer holds."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from andromede_core.facts.certificates import PROGRESS, version
from andromede_core.facts.world import Fact, World, Zone
from andromede_core.policy.clauses import ROLES
from andromede_core.policy.evaluation import ClauseResult, Evaluation, evaluate
from tests.unit.placement.sample import NOW, only, policy

DAY = timedelta(days=1)
EVER = datetime(2000, 1, 1, tzinfo=UTC)
END = datetime(2028, 3, 1, tzinfo=UTC)


def paper(**changes: Any) -> dict[str, Any]:
    return {
        "scheme": "SecNumCloud",
        "version": "3.2",
        "level": "high",
        "number": "SNC-1",
        "issuer": "ANSSI",
        "scope": ["iaas", "backup"],
        "valid_from": "2025-03-01T00:00:00Z",
        "valid_to": "2028-03-01T00:00:00Z",
        "status": "valid",
        "status_since": "2025-03-01T00:00:00Z",
    } | changes


def evaluated(
    papers: Iterable[dict[str, Any]] | None, now: datetime = NOW, known: World | None = None, **demand: Any
) -> Evaluation:
    clause = {"id": "snc", "op": "holds", "scheme": "SecNumCloud"} | demand
    facts = {} if papers is None else {"certifications": (Fact(list(papers), EVER, assertion="certificate"),)}
    return evaluate([policy(clause)], Zone("z-1", facts), known or World(), now=now, roles=ROLES)


def asked(papers: Iterable[dict[str, Any]] | None, now: datetime = NOW, **demand: Any) -> ClauseResult:
    return only(evaluated(papers, now, **demand))


def code(changes: dict[str, Any], demand: dict[str, Any], now: datetime = NOW) -> str:
    return asked([paper(**changes)], now, **demand).code


EXPIRED = {"valid_to": "2026-11-24T12:00:00Z"}
TO_COME = {"valid_from": "2026-11-24T12:00:01Z"}
SUSPENDED = {"status": "suspended", "status_since": "2026-10-01T00:00:00Z"}
WITHDRAWN = SUSPENDED | {"status": "withdrawn"}

CODES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {}, "OK"),
    ({}, {"min_version": "3.2", "level": "high", "scope": "backup", "min_remaining_days": 90}, "OK"),
    ({"scheme": "HDS"}, {}, "CERT_MISSING"),
    ({"scheme": "secnumcloud"}, {}, "CERT_MISSING"),
    ({"version": "3.1"}, {"min_version": "3.2"}, "CERT_VERSION"),
    ({"version": None}, {"min_version": "1"}, "CERT_VERSION"),
    ({"version": None}, {}, "OK"),
    ({"version": "2022-beta"}, {"min_version": "1"}, "CERT_VERSION"),
    ({"version": "3.10"}, {"min_version": "3.9"}, "OK"),
    ({"version": "3"}, {"min_version": "3.0"}, "OK"),
    ({"version": "3.0"}, {"min_version": "3"}, "OK"),
    ({"version": "3"}, {"min_version": "3.0.1"}, "CERT_VERSION"),
    ({"version": "4.0"}, {"min_version": "3.2"}, "OK"),
    ({"level": "basic"}, {"level": "high"}, "CERT_LEVEL"),
    ({"level": None}, {"level": "high"}, "CERT_LEVEL"),
    ({"level": None}, {}, "OK"),
    ({"scope": ["saas"]}, {"scope": "iaas"}, "CERT_SCOPE"),
    ({"scope": []}, {"scope": "iaas"}, "CERT_SCOPE"),
    ({"scope": "iaas"}, {"scope": "iaas"}, "CERT_SCOPE"),
    ({"scope": []}, {}, "OK"),
    (TO_COME, {}, "CERT_NOT_YET_VALID"),
    ({"valid_from": "2026-11-24T12:00:00Z", "status_since": "2026-11-24T12:00:00Z"}, {}, "OK"),
    ({"valid_from": None}, {}, "CERT_NOT_YET_VALID"),
    (EXPIRED, {}, "CERT_EXPIRED"),
    ({"valid_to": "2026-11-24T12:00:01Z"}, {}, "OK"),
    ({"valid_to": None}, {"min_remaining_days": 3660}, "OK"),
    ({"valid_to": "9999-12-31T23:59:59Z"}, {"min_remaining_days": 3660}, "OK"),
    (SUSPENDED, {}, "CERT_SUSPENDED"),
    (WITHDRAWN, {}, "CERT_WITHDRAWN"),
    (SUSPENDED | {"status_since": "2026-11-24T12:00:00Z"}, {}, "CERT_SUSPENDED"),
    (SUSPENDED | {"status_since": "2026-11-24T12:00:01Z"}, {}, "OK"),
    (SUSPENDED | {"status_since": None}, {}, "CERT_SUSPENDED"),
    ({"status": "revoked"}, {}, "CERT_SUSPENDED"),
    ({"status_since": "2026-11-24T12:00:00Z"}, {}, "OK"),
    ({"status_since": "2026-11-24T12:00:01Z"}, {}, "CERT_NOT_YET_VALID"),
    ({"status_since": None}, {}, "OK"),
    ({"valid_to": "2027-02-22T12:00:00Z"}, {"min_remaining_days": 90}, "OK"),
    ({"valid_to": "2027-02-22T11:59:59Z"}, {"min_remaining_days": 90}, "CERT_EXPIRING"),
    ({"valid_to": "2027-02-22T11:59:59Z"}, {}, "OK"),
    # several faults: the first in the order of checking
    ({"version": "3.1", "level": "basic", **EXPIRED}, {"min_version": "3.2", "level": "high"}, "CERT_VERSION"),
    ({"level": "basic", "scope": [], **EXPIRED}, {"level": "high", "scope": "iaas"}, "CERT_LEVEL"),
    ({"scope": [], **EXPIRED}, {"scope": "iaas"}, "CERT_SCOPE"),
    (SUSPENDED | EXPIRED, {}, "CERT_EXPIRED"),
    (WITHDRAWN | TO_COME, {}, "CERT_NOT_YET_VALID"),
    (SUSPENDED | {"valid_to": "2026-12-01T00:00:00Z"}, {"min_remaining_days": 90}, "CERT_SUSPENDED"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "demand", "expected"), CODES)
def test_certificate_that_fails_a_step_has_its_code(
    changes: dict[str, Any], demand: dict[str, Any], expected: str
) -> None:
    assert code(changes, demand) == expected
    assert asked([paper(**changes)], **demand).result == ("T" if expected == "OK" else "F")


# One certificate for each step that it may fail at, in the order of the steps.
STEPS: dict[str, dict[str, Any]] = {
    "CERT_MISSING": {"scheme": "HDS"},
    "CERT_VERSION": {"version": "3.1"},
    "CERT_LEVEL": {"level": "basic"},
    "CERT_SCOPE": {"scope": ["saas"]},
    "CERT_NOT_YET_VALID": TO_COME,
    "CERT_EXPIRED": EXPIRED,
    "CERT_SUSPENDED": SUSPENDED,
    "CERT_WITHDRAWN": WITHDRAWN,
    "CERT_EXPIRING": {"valid_to": "2026-12-01T00:00:00Z"},
    "OK": {},
}
DEMAND: dict[str, Any] = {"min_version": "3.2", "level": "high", "scope": "iaas", "min_remaining_days": 90}


def test_result_names_the_certificate_that_passes_most_steps() -> None:
    for one, other in permutations(STEPS, 2):
        papers = [paper(**STEPS[one]), paper(**STEPS[other])]
        assert asked(papers, **DEMAND).code == max(one, other, key=PROGRESS.index), (one, other)


def test_steps_are_checked_in_order() -> None:
    assert tuple(STEPS) == PROGRESS
    for step, changes in STEPS.items():
        assert code(changes, DEMAND) == step


def test_result_details_the_certificate() -> None:
    details = {step: asked([paper(**changes)], **DEMAND).detail for step, changes in STEPS.items()}
    assert details == {
        "CERT_MISSING": "SecNumCloud",
        "CERT_VERSION": "SecNumCloud SNC-1",
        "CERT_LEVEL": "SecNumCloud SNC-1",
        "CERT_SCOPE": "SecNumCloud SNC-1",
        "CERT_NOT_YET_VALID": "SecNumCloud SNC-1",
        "CERT_EXPIRED": "SecNumCloud SNC-1, until 2026-11-24T12:00:00Z",
        "CERT_SUSPENDED": "SecNumCloud SNC-1",
        "CERT_WITHDRAWN": "SecNumCloud SNC-1",
        "CERT_EXPIRING": "SecNumCloud SNC-1, until 2026-12-01T00:00:00Z",
        "OK": "SecNumCloud SNC-1, until 2028-03-01T00:00:00Z",
    }


def test_result_names_the_first_of_equal_certificates() -> None:
    papers = [paper(**EXPIRED, number="A"), paper(**EXPIRED, number="B"), paper(**SUSPENDED, number="C")]
    assert asked(papers[:2]).detail == "SecNumCloud A, until 2026-11-24T12:00:00Z"
    assert asked(papers).detail == "SecNumCloud C"
    assert asked([paper(number="A"), paper(number="B")]).detail == "SecNumCloud A, until 2028-03-01T00:00:00Z"


@pytest.mark.parametrize("value", ["SecNumCloud", {"SecNumCloud": True}, 7, True])
def test_malformed_certificate_list_is_unknown(value: object) -> None:
    zone = Zone("z-1", {"certifications": (Fact(value, EVER),)})
    clause = policy({"id": "snc", "op": "holds", "scheme": "SecNumCloud"})
    result = only(evaluate([clause], zone, World(), now=NOW, roles=ROLES))
    assert (result.result, result.detail) == ("U", "certifications")


def test_empty_certificate_list_fails_and_a_missing_one_is_unknown() -> None:
    assert (asked([]).result, asked([]).code) == ("F", "CERT_MISSING")
    nothing = asked(None)
    assert (nothing.result, nothing.code, nothing.detail) == ("U", "ATTR_UNKNOWN", "certifications")


def test_self_declared_certificates_may_not_suffice() -> None:
    zone = Zone("z-1", {"certifications": (Fact([paper()], EVER, assertion="self_declared"),)})
    clause = {"id": "snc", "op": "holds", "scheme": "SecNumCloud"}
    for floor, result in (("self_declared", "T"), ("third_party", "U"), ("certificate", "U")):
        layer = policy(clause | {"assertion_min": floor})
        assert only(evaluate([layer], zone, World(), now=NOW, roles=ROLES)).result == result


# --- until when


@pytest.mark.parametrize(
    ("changes", "demand", "until"),
    [
        ({}, {}, END),
        ({}, {"min_remaining_days": 90}, END - 90 * DAY),
        ({"valid_to": None}, {}, None),
        ({"valid_to": None}, {"min_remaining_days": 90}, None),
        (EXPIRED, {}, None),
        ({"valid_from": "2026-12-01T00:00:00Z"}, {}, datetime(2026, 12, 1, tzinfo=UTC)),
        (SUSPENDED, {}, END),
        (SUSPENDED | {"status_since": "2026-12-01T00:00:00Z"}, {}, datetime(2026, 12, 1, tzinfo=UTC)),
        ({"valid_to": "2026-12-01T00:00:00Z"}, {"min_remaining_days": 90}, datetime(2026, 12, 1, tzinfo=UTC)),
        ({"valid_to": "2027-02-22T12:00:00Z"}, {"min_remaining_days": 90}, NOW + timedelta(microseconds=1)),
        ({"scope": []}, {"scope": "iaas"}, None),
    ],
)
def test_result_is_valid_until_the_next_change(
    changes: dict[str, Any], demand: dict[str, Any], until: datetime | None
) -> None:
    assert evaluated([paper(**changes)], **demand).valid_until == until


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (END - 90 * DAY - timedelta(microseconds=1), "OK"),
        (END - 90 * DAY, "OK"),
        (END - 90 * DAY + timedelta(microseconds=1), "CERT_EXPIRING"),
        (END - timedelta(microseconds=1), "CERT_EXPIRING"),
        (END, "CERT_EXPIRED"),
        (datetime(2025, 3, 1, tzinfo=UTC) - timedelta(microseconds=1), "CERT_NOT_YET_VALID"),
        (datetime(2025, 3, 1, tzinfo=UTC), "OK"),
    ],
)
def test_remaining_days_are_exact_to_the_microsecond(now: datetime, expected: str) -> None:
    assert code({}, {"min_remaining_days": 90}, now) == expected


# --- classes of schemes

QUALIFIED = World(
    sets={"@QUALIFIED": (Fact(["FR"], EVER),)},
    scheme_classes={
        "@QUALIFIED": (
            Fact(["SecNumCloud"], EVER, NOW - DAY),
            Fact(["SecNumCloud", "EUCS"], NOW - DAY, NOW + DAY),
            Fact(["EUCS"], NOW + DAY),
        )
    },
)


@pytest.mark.parametrize(
    ("scheme", "now", "expected"),
    [
        ("SecNumCloud", NOW - 2 * DAY, "OK"),
        ("SecNumCloud", NOW, "OK"),
        ("SecNumCloud", NOW + DAY, "CERT_MISSING"),
        ("EUCS", NOW - 2 * DAY, "CERT_MISSING"),
        ("EUCS", NOW, "OK"),
        ("EUCS", NOW + DAY, "OK"),
        ("HDS", NOW, "CERT_MISSING"),
    ],
)
def test_scheme_counts_while_it_belongs_to_the_class(scheme: str, now: datetime, expected: str) -> None:
    assert only(evaluated([paper(scheme=scheme)], now, QUALIFIED, scheme="@QUALIFIED")).code == expected


def test_result_ends_when_the_class_changes() -> None:
    assert evaluated([paper()], NOW, QUALIFIED, scheme="@QUALIFIED").valid_until == NOW + DAY


@pytest.mark.parametrize("known", [World(), World(sets={"@QUALIFIED": (Fact(["SecNumCloud"], EVER),)})])
def test_unknown_class_leaves_the_clause_unknown(known: World) -> None:
    result = only(evaluated([paper()], NOW, known, scheme="@QUALIFIED"))
    assert (result.result, result.code, result.detail) == ("U", "ATTR_UNKNOWN", "@QUALIFIED")


def test_missing_certificate_of_a_class_names_the_class() -> None:
    assert only(evaluated([paper(scheme="HDS")], NOW, QUALIFIED, scheme="@QUALIFIED")).detail == "@QUALIFIED"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.2", (3, 2)),
        ("3.2.0.0", (3, 2)),
        ("0", (0,)),
        ("0.0", (0,)),
        ("10", (10,)),
        ("", ()),
        ("3.", ()),
        ("v3", ()),
        (None, ()),
        (3, ()),
    ],
)
def test_versions_are_compared_number_by_number(text: object, expected: tuple[int, ...]) -> None:
    assert version(text) == expected
