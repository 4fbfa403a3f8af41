"""Scenarios on the sample catalogue: residency, health data, state data, backups, ownership."""

from datetime import UTC, datetime, timedelta

import pytest

from andromede_core.facts.world import World
from andromede_core.policy.evaluation import evaluate, failures
from tests.unit.placement.sample import (
    EU,
    FAR_BACKUP,
    HEALTH,
    NOW,
    OWNERSHIP,
    QUALIFIED,
    STATE,
    ZONES,
    Clause,
    against,
    ask,
    catalogue,
    certificate,
    copied,
    entry,
    policy,
    secnumcloud,
    within,
    world,
)

FAR_QUALIFIED_BACKUP = [*FAR_BACKUP[:-2], secnumcloud(scope="backup", days=90), FAR_BACKUP[-1]]


@pytest.fixture(scope="module")
def known() -> World:
    return world()


def admitted(clauses: list[Clause], known: World, role: str = "compute", reference: str | None = None) -> list[str]:
    return [zone for zone in known.zones if ask(policy(*clauses), zone, known, role=role, reference=reference).admits]


SCENARIOS: list[tuple[str, list[Clause], str, str | None, list[str]]] = [
    (
        "residency in the EU",
        EU,
        "compute",
        None,
        [
            "fr-idf-1",
            "fr-idf-2",
            "fr-idf-3",
            "fr-est-1",
            "fr-est-2",
            "fr-sud-1",
            "de-rhein-1",
            "fi-hel-1",
            "fi-hel-2",
            "ie-dub-1",
        ],
    ),
    ("health data", HEALTH, "compute", None, ["fr-idf-1", "fr-idf-3", "fr-sud-1", "no-osl-1"]),
    ("state data", STATE, "compute", None, ["fr-idf-1", "fr-idf-2"]),
    ("a backup far away", FAR_BACKUP, "backup", "fr-idf-1", ["fr-est-1"]),
    ("the same with a margin: none is left", FAR_QUALIFIED_BACKUP, "backup", "fr-idf-1", []),
    (
        "ownership",
        [*EU, *OWNERSHIP],
        "compute",
        None,
        ["fr-idf-1", "fr-idf-2", "fr-idf-3", "fr-est-1", "fr-est-2", "de-rhein-1", "fi-hel-1"],
    ),
]


@pytest.mark.parametrize(
    ("clauses", "role", "reference", "expected"), [each[1:] for each in SCENARIOS], ids=[each[0] for each in SCENARIOS]
)
def test_scenario_admits_its_zones(
    clauses: list[Clause], role: str, reference: str | None, expected: list[str], known: World
) -> None:
    assert admitted(clauses, known, role, reference) == expected


def test_sample_catalogue_has_its_zones(known: World) -> None:
    assert tuple(known.zones) == ZONES


REFUSALS: list[tuple[list[Clause], str, dict[str, str]]] = [
    (EU, "de-rhein-2", {"meta": "ATTR_MISMATCH"}),
    (EU, "fr-sud-2", {"adm": "ATTR_MISMATCH"}),
    (EU, "no-osl-1", dict.fromkeys(["loc", "keyloc", "logs", "meta", "adm"], "ATTR_MISMATCH")),
    (EU, "us-va-1", dict.fromkeys(["loc", "keyloc", "logs", "meta", "adm"], "ATTR_MISMATCH")),
    (HEALTH, "fr-idf-2", {"hds": "CERT_MISSING"}),
    (HEALTH, "fr-est-1", {"hds": "CERT_MISSING"}),
    (HEALTH, "fr-sud-2", {"hds": "CERT_MISSING", "sup": "ATTR_MISMATCH"}),
    (STATE, "fr-est-1", {"snc": "CERT_EXPIRING"}),
    (STATE, "fr-est-2", {"snc": "CERT_SUSPENDED"}),
    (STATE, "fr-idf-3", {"snc": "CERT_SCOPE"}),
    (STATE, "fr-sud-1", {"snc": "CERT_MISSING"}),
    ([*EU, *OWNERSHIP], "fr-sud-1", {"coll": "THRESHOLD_EXCEEDED"}),
    ([*EU, *OWNERSHIP], "fi-hel-2", dict.fromkeys(["single", "coll", "veto", "board", "third"], "ATTR_UNKNOWN")),
    (
        [*EU, *OWNERSHIP],
        "ie-dub-1",
        {
            "single": "THRESHOLD_EXCEEDED",
            "coll": "THRESHOLD_EXCEEDED",
            "veto": "ATTR_MISMATCH",
            "board": "ATTR_MISMATCH",
            "third": "ATTR_MISMATCH",
        },
    ),
    ([*EU, *OWNERSHIP], "de-rhein-2", {"meta": "ATTR_MISMATCH", "third": "ATTR_MISMATCH"}),
]


@pytest.mark.parametrize(("clauses", "zone", "expected"), REFUSALS)
def test_a_refusal_lists_every_clause_that_does_not_hold(
    clauses: list[Clause], zone: str, expected: dict[str, str], known: World
) -> None:
    assert against(ask(policy(*clauses), zone, known)) == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("fr-sud-1", {"snc": "CERT_MISSING"}),
        ("fr-idf-1", {"dist": "TOO_CLOSE"}),
        ("fr-idf-2", {"dist": "TOO_CLOSE"}),
        ("fr-est-1", {}),
        ("fr-est-2", {"snc": "CERT_SCOPE"}),
    ],
)
def test_backup_of_paris_data_needs_a_distant_zone(zone: str, expected: dict[str, str], known: World) -> None:
    assert against(ask(policy(*FAR_BACKUP), zone, known, role="backup", reference="fr-idf-1")) == expected


@pytest.mark.parametrize(
    ("clauses", "zone", "expected"),
    [
        (EU, "de-rhein-1", {}),
        (HEALTH, "no-osl-1", {}),
        (QUALIFIED, "fr-est-1", {}),
        (STATE, "fr-est-1", {"snc": "CERT_EXPIRING"}),
        (QUALIFIED, "fr-idf-3", {"snc": "CERT_SCOPE"}),
        (OWNERSHIP, "fi-hel-2", dict.fromkeys(["single", "coll", "veto", "board", "third"], "ATTR_UNKNOWN")),
        (EU, "fi-hel-2", {}),
    ],
)
def test_worked_case_has_its_reasons(clauses: list[Clause], zone: str, expected: dict[str, str], known: World) -> None:
    assert against(ask(policy(*clauses), zone, known)) == expected


@pytest.mark.parametrize(("share", "expected"), [("24.00", {}), ("24.01", {"single": "THRESHOLD_EXCEEDED"})])
def test_ownership_share_is_exact_to_a_hundredth_of_a_per_cent(share: str, expected: dict[str, str]) -> None:
    document = catalogue()
    entry(document, "parties", "op-gamma")["non_eu_max_single_pct"] = share
    assert against(ask(policy(*OWNERSHIP), "de-rhein-1", world(document))) == expected


def test_french_territory_outside_the_union_is_refused() -> None:
    document = catalogue()
    copied(document, "fr-idf-1", "nc-nou-1", "NC")
    copied(document, "fr-idf-1", "re-rou-1", "RE")
    known = world(document)
    clause = policy(within("loc", "location.territory", "in"))
    assert against(ask(clause, "nc-nou-1", known)) == {"loc": "ATTR_MISMATCH"}
    assert against(ask(clause, "re-rou-1", known)) == {}


LAST_DAY = datetime(2027, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (LAST_DAY - timedelta(seconds=1), {}),
        (LAST_DAY - timedelta(microseconds=1), {}),
        (LAST_DAY, {"snc": "CERT_EXPIRED"}),
    ],
)
def test_certificate_ends_at_its_exact_time(now: datetime, expected: dict[str, str], known: World) -> None:
    evaluation = ask(policy(*QUALIFIED), "fr-est-1", known, now=now)
    assert against(evaluation) == expected
    assert evaluation.valid_until == (LAST_DAY if not expected else None)


def test_result_is_valid_until_the_certificate_ends(known: World) -> None:
    assert ask(policy(*QUALIFIED), "fr-est-1", known).valid_until == LAST_DAY
    assert ask(policy(*EU), "fr-est-1", known).valid_until is None


def test_restored_certificate_admits() -> None:
    document = catalogue()
    certificate(document, "fr-est-2", "SecNumCloud").update(status="valid", status_since="2026-11-24T12:00:00Z")
    known = world(document)
    assert ask(policy(*STATE), "fr-est-2", known).admits
    assert not ask(policy(*STATE), "fr-est-2", known, now=NOW - timedelta(seconds=1)).admits


def test_project_policy_cannot_relax_the_organization(known: World) -> None:
    layers = [policy(*QUALIFIED), policy(within("anywhere", "location.territory", "in", "@EEA"), level="project")]
    assert against(ask(layers, "fr-sud-1", known)) == {"snc": "CERT_MISSING"}


def test_evidence_keeps_the_clauses_that_do_not_hold(known: World) -> None:
    evaluation = ask(policy(*STATE), "fr-est-1", known)
    assert failures(evaluation.results) == [["pol-1", "snc", "F", "CERT_EXPIRING"]]


@pytest.mark.parametrize(
    ("notice", "result", "code", "detail"),
    [
        ("none", "T", "OK", ""),
        ("2027-02-01T00:00:00Z", "F", "ATTR_MISMATCH", "op-alpha: 2027-02-01T00:00:00Z"),
        (None, "U", "ATTR_UNKNOWN", "op-alpha: party.control_change_notice"),
    ],
)
def test_announced_change_of_control_fails_the_clause(notice: str | None, result: str, code: str, detail: str) -> None:
    document = catalogue()
    entry(document, "parties", "op-alpha")["control_change_notice"] = notice
    clause = {
        "id": "own",
        "attr": "party.control_change_notice",
        "op": "is",
        "value": "none",
        "party_roles": ["operator"],
    }
    (clause_result,) = ask(policy(clause), "fr-idf-1", world(document)).results
    assert (clause_result.result, clause_result.code, clause_result.detail) == (result, code, detail)


def test_distance_clause_applies_only_to_copies() -> None:
    far = policy({"id": "far", "op": "min_distance_km", "value": 100, "roles": ["backup", "replica"]})
    known = world()
    evaluation = evaluate([far], known.zones["fr-idf-1"], known, now=NOW, roles=("replica",))
    assert (evaluation.results, evaluation.admits) == ((), True)
