"""Clauses on facts: each operator holds, fails and stays unknown; parties, distances, time, provenance."""

from datetime import UTC, datetime, timedelta
from math import degrees, nextafter
from typing import Any

import pytest

from andromede_core.facts.catalogue import parse as parse_catalogue
from andromede_core.facts.world import Fact, Horizon, Subject, Timeline, World, Zone, at, shifted
from andromede_core.policy.clauses import ROLES, Certified, ClauseRef, Policy
from andromede_core.policy.document import parse
from andromede_core.policy.evaluation import (
    EARTH_RADIUS_KM,
    ClauseResult,
    Copy,
    Evaluation,
    evaluate,
    great_circle_km,
    sets_used,
    waive,
)
from tests.unit.placement.sample import NOW, against, ask, catalogue, copied, entry, only, policy, within, world

DAY = timedelta(days=1)
EVER = datetime(2000, 1, 1, tzinfo=UTC)
OPERATOR = {"role": "operator", "party": "op", "technical_access": True}


def since_ever(value: object) -> Timeline:
    return (Fact(value, EVER),)


def zone(**facts: Any) -> Zone:
    """Attributes by name, dots as two underscores; a value that is no timeline holds since ever."""
    named = {name.replace("__", "."): value for name, value in facts.items()}
    return Zone(
        "z-1", {name: value if isinstance(value, tuple) else since_ever(value) for name, value in named.items()}
    )


def judged(clause: dict[str, Any], zone_: Zone | None, known: World | None = None, now: datetime = NOW) -> ClauseResult:
    return only(evaluate([policy({"id": "a", **clause})], zone_, known or World(), now=now, roles=ROLES))


def brief(result: ClauseResult) -> tuple[str, str, str]:
    return result.result, result.code, result.detail


LATE, TO_COME = "2026-10-25T11:59:59Z", "2026-11-24T12:00:01Z"
OPERATORS: list[tuple[str, str, Any, Any, tuple[str, str, str]]] = [
    ("location.territory", "in", ["FR", "DE"], "DE", ("T", "OK", "DE")),
    ("location.territory", "in", ["FR", "DE"], "US", ("F", "ATTR_MISMATCH", "US")),
    ("zone.id", "in", ["z-1"], None, ("T", "OK", "z-1")),
    ("zone.id", "in", ["z-2"], None, ("F", "ATTR_MISMATCH", "z-1")),
    ("encryption.volume_format", "in", ["LUKS2"], "LUKS1", ("F", "ATTR_MISMATCH", "LUKS1")),
    ("keys.countries", "subset", ["FR", "DE"], ["DE", "FR"], ("T", "OK", "")),
    ("keys.countries", "subset", ["FR"], ["US", "FR", "CN"], ("F", "ATTR_MISMATCH", "CN, US")),
    ("admin.access_from", "subset", ["FR"], [], ("T", "OK", "")),
    ("tenancy", "contains", ["shared"], ["shared", "dedicated_host"], ("T", "OK", "")),
    ("keys.countries", "contains", ["FR", "DE", "IE"], ["FR"], ("F", "ATTR_MISMATCH", "DE, IE")),
    ("admin.access_from", "disjoint", ["US", "CN"], ["FR"], ("T", "OK", "")),
    ("admin.access_from", "disjoint", ["US", "CN"], ["FR", "US"], ("F", "ATTR_MISMATCH", "US")),
    ("encryption.at_rest", "is", True, True, ("T", "OK", "")),
    ("encryption.at_rest", "is", False, False, ("T", "OK", "")),
    ("encryption.at_rest", "is", True, False, ("F", "ATTR_MISMATCH", "false")),
    ("support.gateway", "is", False, True, ("F", "ATTR_MISMATCH", "true")),
    ("network_class", "le", 1, 0, ("T", "OK", "")),
    ("network_class", "le", 1, 1, ("T", "OK", "")),
    ("network_class", "le", 1, 2, ("F", "THRESHOLD_EXCEEDED", "2")),
    ("seal.SOV-3", "ge", 3, 4, ("T", "OK", "")),
    ("seal.SOV-3", "ge", 3, 3, ("T", "OK", "")),
    ("seal.SOV-3", "ge", 3, 2, ("F", "LEVEL_TOO_LOW", "2")),
    ("keys.custody", "ge", "customer_byok", "customer_hyok", ("T", "OK", "customer_hyok")),
    ("keys.custody", "ge", "customer_byok", "customer_byok", ("T", "OK", "customer_byok")),
    ("keys.custody", "ge", "customer_byok", "provider_hsm", ("F", "LEVEL_TOO_LOW", "provider_hsm")),
    ("keys.custody", "le", "provider_hsm", "customer_byok", ("F", "THRESHOLD_EXCEEDED", "customer_byok")),
    ("admin.personnel", "ge", "eu_citizen", "national_cleared", ("T", "OK", "national_cleared")),
    ("disconnect.tested_at", "within_days", 30, "2026-11-01T00:00:00Z", ("T", "OK", "2026-11-01T00:00:00Z")),
    ("disconnect.tested_at", "within_days", 30, "2026-10-25T12:00:00Z", ("T", "OK", "2026-10-25T12:00:00Z")),
    ("disconnect.tested_at", "within_days", 30, LATE, ("F", "EVIDENCE_STALE", LATE)),
    ("disconnect.tested_at", "within_days", 30, "2026-11-24T12:00:00Z", ("T", "OK", "2026-11-24T12:00:00Z")),
    ("disconnect.tested_at", "within_days", 30, TO_COME, ("F", "EVIDENCE_STALE", TO_COME)),
]  # fmt: skip


@pytest.mark.parametrize(("attr", "op", "bound", "value", "expected"), OPERATORS)
def test_operator_compares_a_value(attr: str, op: str, bound: Any, value: Any, expected: tuple[str, str, str]) -> None:
    zone_ = zone() if attr == "zone.id" else Zone("z-1", {attr: since_ever(value)})
    assert brief(judged({"attr": attr, "op": op, "value": bound}, zone_)) == expected


ASKED: dict[str, dict[str, Any]] = {
    "in": {"attr": "location.territory", "op": "in", "value": ["FR"]},
    "subset": {"attr": "keys.countries", "op": "subset", "value": ["FR"]},
    "contains": {"attr": "tenancy", "op": "contains", "value": ["shared"]},
    "disjoint": {"attr": "admin.access_from", "op": "disjoint", "value": ["US"]},
    "is": {"attr": "encryption.at_rest", "op": "is", "value": False},
    "le": {"attr": "network_class", "op": "le", "value": 2},
    "ge": {"attr": "keys.custody", "op": "ge", "value": "none"},
    "within_days": {"attr": "disconnect.tested_at", "op": "within_days", "value": 30},
}
# A value that satisfies the clause above, and one of the wrong type.
SATISFYING: dict[str, tuple[Any, Any]] = {
    "in": ("FR", ["FR"]),
    "subset": (["FR"], "FR"),
    "contains": (["shared"], "shared"),
    "disjoint": (["FR"], None),
    "is": (False, 0),
    "le": (1, "1"),
    "ge": ("provider_hsm", "the best"),
    "within_days": ("2026-11-01T00:00:00Z", "2026-11-01"),
}


@pytest.mark.parametrize("op", sorted(ASKED))
def test_operator_on_an_unknown_fact_is_unknown(op: str) -> None:
    clause, attr = ASKED[op], str(ASKED[op]["attr"])
    value, wrong = SATISFYING[op]
    nothing: list[tuple[Timeline, str]] = [
        ((), attr),
        ((Fact(None, EVER),), attr),
        ((Fact(wrong, EVER),), attr),
        ((Fact(value, NOW + DAY),), attr),
        ((Fact(value, EVER, NOW),), attr),
        ((Fact(value, EVER, review_by=NOW),), f"{attr} (review_by 2026-11-24T12:00:00Z)"),
        ((Fact(value, EVER, NOW - DAY, review_by=NOW - DAY), Fact(value, NOW + DAY, review_by=NOW + DAY)), attr),
    ]
    for timeline, detail in nothing:
        assert brief(judged(clause, Zone("z-1", {attr: timeline}))) == ("U", "ATTR_UNKNOWN", detail)
    known = [(Fact(value, NOW),), (Fact(value, EVER, NOW + DAY),), (Fact(value, EVER, review_by=NOW + DAY),)]
    assert all(judged(clause, Zone("z-1", {attr: timeline})).result == "T" for timeline in known)


def test_unknown_zone_makes_every_clause_unknown() -> None:
    for clause in (
        *ASKED.values(),
        {"op": "holds", "scheme": "SNC"},
    ):
        assert brief(judged(clause, None)) == ("U", "ATTR_UNKNOWN", "")
    assert brief(distant(None, None, 1)) == ("U", "ATTR_UNKNOWN", "")


def test_stated_zone_id_is_ignored() -> None:
    assert judged({"attr": "zone.id", "op": "in", "value": ["z-2"]}, zone(zone__id="z-2")).result == "F"


def test_unread_fact_is_ignored() -> None:
    zone_ = zone(location__territory="FR", metadata__countries=None)
    assert judged(ASKED["in"], zone_).result == "T"


@pytest.mark.parametrize("floor", ["self_declared", "third_party", "certificate", "measured"])
def test_weaker_assertion_than_demanded_is_unknown(floor: str) -> None:
    order = ("self_declared", "third_party", "certificate", "measured")
    for assertion in order:
        zone_ = zone(location__territory=(Fact("FR", EVER, assertion=assertion),))  # type: ignore[arg-type]
        evaluation = judged(ASKED["in"] | {"assertion_min": floor}, zone_)
        is_trusted = order.index(assertion) >= order.index(floor)
        expected = ("T", "OK", "FR") if is_trusted else ("U", "ATTR_UNKNOWN", f"location.territory ({assertion})")
        assert brief(evaluation) == expected


def test_optional_fields_have_defaults() -> None:
    assert Fact("FR", EVER) == Fact("FR", EVER, None, None, "self_declared")
    assert Zone("z-1") == Zone("z-1", {}, "open")
    assert Certified("SNC") == Certified("SNC", None, None, None, 0)


# --- roles


def test_clause_is_evaluated_only_for_its_roles() -> None:
    layer = policy({"id": "all", **ASKED["in"]}, {"id": "some", **ASKED["is"], "roles": ["backup", "replica"]})
    for roles, clause_ids in (
        (("compute",), ["all"]),
        (("replica",), ["all", "some"]),
        (("compute", "backup"), ["all", "some"]),
    ):
        evaluation = evaluate([layer], zone(), World(), now=NOW, roles=roles)
        assert [each.ref.clause for each in evaluation.results] == clause_ids


def test_clauses_without_roles_are_evaluated_for_no_role() -> None:
    layer = policy({"id": "all", **ASKED["in"]}, {"id": "some", **ASKED["is"], "roles": ["backup"]})
    assert [each.ref.clause for each in evaluate([layer], zone(), World(), now=NOW, roles=()).results] == ["all"]


def test_every_clause_is_judged_even_after_one_failed_and_names_its_policy() -> None:
    layers = [policy({"id": "a", **ASKED["in"]}), policy({"id": "b", **ASKED["le"]}, level="project", name="pol-2")]
    evaluation = evaluate(layers, zone(network_class=1), World(), now=NOW, roles=ROLES)
    assert [(each.ref, each.result) for each in evaluation.results] == [
        (ClauseRef("pol-1", "organization", "a"), "U"),
        (ClauseRef("pol-2", "project", "b"), "T"),
    ]
    assert not evaluation.admits


def test_empty_policy_admits() -> None:
    assert evaluate([], zone(), World(), now=NOW, roles=ROLES) == Evaluation((), None)


def test_unsupported_policy_is_refused_everywhere() -> None:
    classified = parse({"id": "classified", "level": "classification", "atoms": [], "unsupported": True})
    for zone_ in (zone(), None):
        evaluation = only(evaluate([classified], zone_, World(), now=NOW, roles=("log",)))
        assert evaluation.ref == ClauseRef("classified", "classification", "classified")
        assert brief(evaluation) == ("F", "NOT_SUPPORTED_CLASSIFIED", "")


# --- named sets


def union(*versions: Fact) -> World:
    return World(sets={"@EU": versions})


BREXIT = datetime(2020, 2, 1, tzinfo=UTC)
UNION = union(Fact(["FR", "GB"], EVER, BREXIT), Fact(["FR"], BREXIT))


@pytest.mark.parametrize(
    ("now", "result"),
    [(BREXIT - timedelta(microseconds=1), "T"), (BREXIT, "F"), (BREXIT + DAY, "F"), (EVER - DAY, "U")],
)
def test_named_set_is_evaluated_as_of_the_time(now: datetime, result: str) -> None:
    zone_ = zone(location__territory=(Fact("GB", datetime(1990, 1, 1, tzinfo=UTC)),))
    assert judged(within("a", "location.territory", "in"), zone_, UNION, now).result == result


def test_set_of_the_catalogue_changes_at_its_date() -> None:
    document = catalogue()
    document["sets"]["@EU"] = [
        {"valid_from": "2013-07-01T00:00:00Z", "valid_to": "2020-02-01T00:00:00Z", "values": ["FR", "GB"]},
        {"valid_from": "2020-02-01T00:00:00Z", "values": ["FR"]},
    ]
    copied(document, "fr-idf-1", "gb-lon-1", "GB")
    entry(document, "zones", "gb-lon-1")["valid_from"] = "2015-01-01T00:00:00Z"
    known = world(document)
    clause = policy(within("loc", "location.territory", "in"))
    before = ask(clause, "gb-lon-1", known, now=BREXIT - timedelta(seconds=1))
    assert (before.admits, before.valid_until) == (True, BREXIT)
    assert against(ask(clause, "gb-lon-1", known, now=BREXIT)) == {"loc": "ATTR_MISMATCH"}


@pytest.mark.parametrize(
    "versions", [(), (Fact(None, EVER),), (Fact(["FR"], EVER, NOW),), (Fact(["FR"], EVER, review_by=NOW),)]
)
@pytest.mark.parametrize(("attr", "op"), [("location.territory", "in"), ("keys.countries", "subset")])
def test_unknown_named_set_leaves_the_clause_unknown(versions: Timeline, attr: str, op: str) -> None:
    zone_ = zone(location__territory="FR", keys__countries=["FR"])
    clause = {"attr": attr, "op": op, "value": ["FR", "@EU"]}
    assert brief(judged(clause, zone_, union(*versions))) == ("U", "ATTR_UNKNOWN", "@EU")


def test_named_sets_and_territories_are_listed_together() -> None:
    clause = {"attr": "keys.countries", "op": "subset", "value": ["@EU", "CH"]}
    assert judged(clause, zone(keys__countries=["CH", "FR"]), union(Fact(["FR"], EVER))).result == "T"
    american = judged(clause, zone(keys__countries=["US"]), union(Fact(["FR"], EVER)))
    assert brief(american) == ("F", "ATTR_MISMATCH", "US")


def test_a_class_of_schemes_is_no_set_of_territories() -> None:
    known = World(scheme_classes={"@EU": since_ever(["FR"])})
    assert judged(within("a", "location.territory", "in"), zone(location__territory="FR"), known).result == "U"


def test_the_versions_of_the_sets_that_were_used_are_known() -> None:
    known = World(
        sets={"@EU": (Fact(["FR", "GB"], EVER, BREXIT), Fact(["FR"], BREXIT)), "@FR": since_ever(["FR"])},
        scheme_classes={"@EU": since_ever(["EUCS"]), "@OLD": (Fact(["X"], EVER, BREXIT),)},
    )
    clauses = [
        within("a", "location.territory", "in"),
        within("b", "keys.countries", "subset"),
        {"id": "c", "op": "holds", "scheme": "@EU"},
        {"id": "d", "op": "holds", "scheme": "@OLD"},
        {"id": "e", "op": "holds", "scheme": "SNC"},
        {"id": "f", "op": "min_distance_km", "value": 1, "roles": ["backup"]},
        within("g", "logs.countries", "subset", "@LOST"),
    ]
    assert sets_used([policy(*clauses)], known, now=NOW) == {("scheme_class", "@EU"): EVER, ("set", "@EU"): BREXIT}
    assert sets_used([policy(*clauses)], known, now=EVER)["set", "@EU"] == EVER
    assert sets_used([], known, now=NOW) == {}


# --- parties


def parties(*parts: "Part") -> list[dict[str, Any]]:
    return [{"role": role, "party": party, "technical_access": access} for role, party, access in parts]


def of_parties(**vetoes: object) -> World:
    """Parties with these values of party.non_eu_veto."""
    return World(parties={name: Subject(name, {"party.non_eu_veto": since_ever(is_)}) for name, is_ in vetoes.items()})


VETO = {"attr": "party.non_eu_veto", "op": "is", "value": False}
Part = tuple[str, str, bool]
RUNS: Part = ("operator", "op", True)
RUNS_FROM_AFAR: Part = ("operator", "op", False)
LANDLORD: Part = ("dc_landlord", "rho", False)
SUPPORT: Part = ("remote_support", "sigma", True)
ACCESS = {"only_with_technical_access": True}


def roles(*names: str) -> dict[str, Any]:
    return {"party_roles": list(names)}


def refused(detail: str) -> tuple[str, str, str]:
    return "F", "ATTR_MISMATCH", detail


def unknown(detail: str) -> tuple[str, str, str]:
    return "U", "ATTR_UNKNOWN", detail


FINE = ("T", "OK", "")

PARTIES: list[tuple[list[Part], dict[str, object], dict[str, Any], tuple[str, str, str]]] = [
    ([RUNS], {"op": False}, {}, FINE),
    ([RUNS], {"op": True}, {}, refused("op: true")),
    ([RUNS], {}, {}, unknown("op: party.non_eu_veto")),
    ([RUNS], {"op": None}, {}, unknown("op: party.non_eu_veto")),
    # all that are chosen must satisfy it
    ([RUNS, LANDLORD], {"op": False, "rho": True}, {}, refused("rho: true")),
    ([RUNS, LANDLORD], {"op": True, "rho": True}, {}, refused("op: true; rho: true")),
    ([RUNS, LANDLORD], {"op": False}, {}, unknown("rho: party.non_eu_veto")),
    # what speaks against it is told before what is not known
    ([RUNS, LANDLORD], {"rho": True}, {}, refused("rho: true")),
    # chosen by role
    ([RUNS, LANDLORD], {"op": False, "rho": True}, roles("operator"), FINE),
    ([RUNS, LANDLORD], {"op": False, "rho": True}, roles("dc_landlord"), refused("rho: true")),
    ([RUNS, LANDLORD], {"op": True, "rho": False}, roles("dc_landlord", "operator"), refused("op: true")),
    # chosen by access
    ([RUNS, LANDLORD], {"op": False, "rho": True}, ACCESS, FINE),
    ([RUNS_FROM_AFAR, SUPPORT], {"op": True, "sigma": False}, ACCESS, FINE),
    ([RUNS, SUPPORT], {"op": False, "sigma": True}, ACCESS, refused("sigma: true")),
    ([RUNS, LANDLORD, SUPPORT], {"op": False, "rho": True, "sigma": True}, ACCESS | roles("dc_landlord"), FINE),
    # nobody has the part: there is nobody to object to
    ([RUNS], {"op": True}, roles("remote_support"), FINE),
    ([RUNS_FROM_AFAR], {"op": True}, ACCESS, FINE),
    # a party with two parts is told of once
    ([RUNS, ("remote_support", "op", True)], {"op": True}, {}, refused("op: true")),
    # who operates it is not known
    ([SUPPORT], {"sigma": False}, {}, unknown("parties")),
    ([], {}, {}, unknown("parties")),
]


@pytest.mark.parametrize(("parts", "vetoes", "selector", "expected"), PARTIES)
def test_party_clause_is_evaluated_for_the_selected_parties(
    parts: list[tuple[str, str, bool]],
    vetoes: dict[str, object],
    selector: dict[str, Any],
    expected: tuple[str, str, str],
) -> None:
    assert brief(judged(VETO | selector, zone(parties=parties(*parts)), of_parties(**vetoes))) == expected


@pytest.mark.parametrize("timeline", [(), (Fact(None, EVER),), (Fact([OPERATOR], EVER, NOW),), (Fact("op", EVER),)])
def test_unknown_parties_leave_clauses_about_them_unknown(timeline: Timeline) -> None:
    zone_ = Zone("z-1", {"parties": timeline})
    for selector in ({}, {"party_roles": ["remote_support"]}, {"only_with_technical_access": True}):
        assert brief(judged(VETO | selector, zone_, of_parties(op=False))) == ("U", "ATTR_UNKNOWN", "parties")


def test_assertion_minimum_covers_the_list_and_facts_of_parties() -> None:
    clause = VETO | {"assertion_min": "third_party"}
    for of_list, of_party, result, detail in (
        ("third_party", "third_party", "T", ""),
        ("self_declared", "third_party", "U", "parties (self_declared)"),
        ("third_party", "self_declared", "U", "op: party.non_eu_veto (self_declared)"),
    ):
        zone_ = zone(parties=(Fact([OPERATOR], EVER, assertion=of_list),))  # type: ignore[arg-type]
        fact = Fact(False, EVER, assertion=of_party)  # type: ignore[arg-type]
        evaluation = judged(clause, zone_, World(parties={"op": Subject("op", {"party.non_eu_veto": (fact,)})}))
        assert (evaluation.result, evaluation.detail) == (result, detail)


def test_a_clause_on_a_party_that_uses_an_unknown_set_is_unknown() -> None:
    known = World(parties={"op": Subject("op", {"party.statutory_seat": since_ever("FR")})})
    evaluation = judged(within("a", "party.statutory_seat", "in"), zone(parties=[OPERATOR]), known)
    assert brief(evaluation) == ("U", "ATTR_UNKNOWN", "op: @EU")


def test_shares_are_compared_as_decimals() -> None:
    for value, bound, result in (
        ("9.99", "10.00", "T"),
        ("10.00", "9.99", "F"),
        ("09.00", "9.00", "T"),
        ("100.00", "99.99", "F"),
    ):
        known = World(parties={"op": Subject("op", {"party.non_eu_max_single_pct": since_ever(value)})})
        clause = {"attr": "party.non_eu_max_single_pct", "op": "le", "value": bound}
        assert judged(clause, zone(parties=[OPERATOR]), known).result == result


# --- distances

PARIS, VERSAILLES, METZ = (48.86, 2.35), (48.8, 2.13), (49.12, 6.18)


def placed(name: str, lat: object, lon: object) -> Zone:
    return Zone(name, {"location.lat": since_ever(lat), "location.lon": since_ever(lon)})


def distant(here: Zone | None, reference: Zone | None, km: int) -> ClauseResult:
    layer = policy({"id": "far", "op": "min_distance_km", "value": km, "roles": ["backup"]})
    return only(evaluate([layer], here, World(), now=NOW, roles=("backup",), copy=Copy(reference)))


def test_distances_are_great_circles() -> None:
    assert great_circle_km(PARIS, METZ) == pytest.approx(280.917, abs=0.001)
    assert great_circle_km(METZ, PARIS) == great_circle_km(PARIS, METZ)
    assert great_circle_km(PARIS, PARIS) == 0
    assert great_circle_km((0, 0), (0, 180)) == pytest.approx(20_015.1, abs=0.1)
    assert great_circle_km((0, 0), (0, 1)) == pytest.approx(111.195, abs=0.001)
    assert great_circle_km((90, 0), (-90, 0)) == pytest.approx(20_015.1, abs=0.1)


def test_antipodes_have_a_finite_distance() -> None:
    for tenth in range(-900, 901, 7):
        assert great_circle_km((tenth / 10, 0.1), (-tenth / 10, -179.9)) <= 20_015.2


@pytest.mark.parametrize(
    ("km", "expected"), [(280, ("T", "OK", "280 km")), (281, ("F", "TOO_CLOSE", "280 km")), (1, ("T", "OK", "280 km"))]
)
def test_distance_clause_compares_two_zones(km: int, expected: tuple[str, str, str]) -> None:
    assert brief(distant(placed("z-1", *METZ), placed("z-2", *PARIS), km)) == expected


def test_exact_distance_suffices() -> None:
    longitude = degrees(100 / EARTH_RADIUS_KM)
    for _ in range(100):  # rounding may keep the first from being 100 km sharp
        if great_circle_km((0, 0), (0, longitude)) == 100:
            break
        longitude = nextafter(longitude, 180)
    assert great_circle_km((0, 0), (0, longitude)) == 100
    here, there = placed("z-1", 0, 0), placed("z-2", 0, longitude)
    assert (distant(here, there, 100).result, distant(here, there, 101).result) == ("T", "F")


def test_distance_without_a_location_is_unknown() -> None:
    for here, there, what in (
        (placed("z-1", *PARIS), None, "reference"),
        (placed("z-1", None, 2), placed("z-2", *PARIS), "location.lat"),
        (placed("z-1", 48, None), placed("z-2", *PARIS), "location.lon"),
        (placed("z-1", *PARIS), placed("z-2", None, 2), "location.lat"),
        (placed("z-1", 91, 2), placed("z-2", *PARIS), "location.lat"),
        (placed("z-1", *PARIS), placed("z-2", 48, 181), "location.lon"),
    ):
        assert brief(distant(here, there, 1)) == ("U", "ATTR_UNKNOWN", what)


# --- until when


def until(clause: dict[str, Any], zone_: Zone, known: World | None = None, now: datetime = NOW) -> datetime | None:
    return evaluate([policy({"id": "a", **clause})], zone_, known or World(), now=now, roles=ROLES).valid_until


def test_result_is_valid_until_a_fact_changes() -> None:
    clause = ASKED["in"]
    assert until(clause, zone(location__territory="FR")) is None
    assert until(clause, zone(location__territory=(Fact("FR", EVER, NOW + DAY),))) == NOW + DAY
    assert until(clause, zone(location__territory=(Fact("FR", EVER, NOW + DAY, NOW + DAY / 2),))) == NOW + DAY / 2
    assert until(clause, zone(location__territory=(Fact("FR", EVER, NOW + DAY, NOW - DAY),))) == NOW + DAY
    assert until(clause, zone(location__territory=(Fact("FR", NOW + DAY),))) == NOW + DAY
    assert (
        until(clause, zone(location__territory=(Fact("FR", EVER, NOW), Fact("US", NOW, NOW + 2 * DAY))))
        == NOW + 2 * DAY
    )
    assert until(clause, zone(location__territory=(Fact("FR", EVER, NOW),))) is None
    assert until(clause, zone(location__territory="FR", keys__countries=(Fact(["FR"], EVER, NOW + DAY),))) is None


def test_recency_result_is_valid_until_the_test_is_too_old() -> None:
    tested = zone(disconnect__tested_at="2026-11-01T00:00:00Z")
    last = datetime(2026, 12, 1, tzinfo=UTC)
    assert until(ASKED["within_days"], tested) == last
    assert until(ASKED["within_days"], tested, now=last) == last + timedelta(microseconds=1)
    assert until(ASKED["within_days"], tested, now=last + timedelta(microseconds=1)) is None
    begins = datetime(2026, 11, 1, tzinfo=UTC)
    assert until(ASKED["within_days"], tested, now=begins - DAY) == begins


def test_the_earliest_of_all_boundaries_counts() -> None:
    zone_ = zone(location__territory=(Fact("FR", EVER, NOW + 3 * DAY),), network_class=(Fact(1, EVER, NOW + DAY),))
    layers = [policy({"id": "a", **ASKED["in"]}, {"id": "b", **ASKED["le"]}, within("c", "location.territory", "in"))]
    known = union(Fact(["FR"], EVER, NOW + 2 * DAY))
    assert evaluate(layers, zone_, known, now=NOW, roles=ROLES).valid_until == NOW + DAY


def test_latest_possible_time_does_not_overflow() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    tested = zone(disconnect__tested_at="9999-12-31T23:59:59Z")
    assert judged(ASKED["within_days"], tested).code == "EVIDENCE_STALE"
    assert judged(ASKED["within_days"], tested, now=last).result == "T"
    assert shifted(last, DAY) == last
    assert shifted(datetime.min.replace(tzinfo=UTC), -DAY) == datetime.min.replace(tzinfo=UTC)
    assert shifted(NOW, DAY) == NOW + DAY


def test_horizon_keeps_only_the_next_boundary() -> None:
    horizon = Horizon(NOW)
    horizon.add_boundary(NOW, NOW - DAY, None)
    assert horizon.until is None
    horizon.add_boundary(NOW + 2 * DAY)
    horizon.add_boundary(NOW + 3 * DAY, NOW + DAY)
    assert horizon.until == NOW + DAY


def test_fact_of_the_requested_time_is_found() -> None:
    timeline = (
        Fact("a", EVER, NOW - DAY),
        Fact("b", NOW - DAY, NOW),
        Fact("c", NOW),
    )
    moments = (EVER - DAY, EVER, NOW - DAY, NOW - timedelta(microseconds=1), NOW, NOW + 100 * DAY)
    facts = [at(timeline, Horizon(moment)) for moment in moments]
    assert [fact.value if fact else None for fact in facts] == [None, "a", "b", "b", "c", "c"]


# --- review dates


def test_party_facts_need_a_yearly_review() -> None:
    document = catalogue()
    entry(document, "parties", "op-alpha")["as_of"] = "2025-11-24T12:00:01Z"
    known = world(document)
    clause = policy(within("seat", "party.statutory_seat", "in"))
    evaluation = ask(clause, "fr-idf-1", known)
    assert (evaluation.admits, evaluation.valid_until) == (True, NOW + timedelta(seconds=1))
    late = ask(clause, "fr-idf-1", known, now=NOW + timedelta(seconds=1))
    assert only(late).detail == "op-alpha: party.statutory_seat (review_by 2026-11-24T12:00:01Z)"


def test_a_statement_may_bring_its_own_review_date() -> None:
    document = catalogue()
    entry(document, "zones", "fr-idf-1")["review_by"] = "2026-11-24T12:00:00Z"
    entry(document, "parties", "op-alpha").update(as_of="2020-01-01T00:00:00Z", review_by="2030-01-01T00:00:00Z")
    known = world(document)
    assert against(ask(policy(within("loc", "location.territory", "in")), "fr-idf-1", known)) == {"loc": "ATTR_UNKNOWN"}
    assert known.parties["op-alpha"].timeline("party.statutory_seat")[0].review_by == datetime(2030, 1, 1, tzinfo=UTC)


def test_null_makes_a_party_fact_unknown() -> None:
    document = catalogue()
    assert entry(document, "parties", "op-zeta")["non_eu_veto"] is None
    document["zones"] = [each for each in document["zones"] if each["id"] == "fi-hel-2"]
    evaluation = ask(policy(VETO | {"id": "veto"}), "fi-hel-2", parse_catalogue(document).world())
    assert brief(only(evaluation)) == ("U", "ATTR_UNKNOWN", "op-zeta: party.non_eu_veto")


# --- exemptions


def test_waived_clause_counts_as_true_and_is_marked() -> None:
    layer = policy({"id": "a", **ASKED["in"], "waivable": True}, {"id": "b", **ASKED["is"], "waivable": True})
    zone_ = zone(encryption__at_rest=(Fact(True, EVER, NOW + DAY),))
    evaluation = evaluate([layer], zone_, World(), now=NOW, roles=ROLES)
    waived = waive(evaluation, [layer], ["pol-1/a", "pol-1/b"])
    assert [each.ref for each in waived.results] == [each.ref for each in evaluation.results]
    assert [brief(each) for each in waived.results] == [
        ("T", "WAIVED", "ATTR_UNKNOWN"),
        ("T", "WAIVED", "ATTR_MISMATCH"),
    ]
    assert waived.valid_until == NOW + DAY
    assert [each.code for each in waive(evaluation, [layer], ["pol-1/b"]).results] == ["ATTR_UNKNOWN", "WAIVED"]


def test_other_clauses_are_not_waived() -> None:
    layer = policy({"id": "a", **ASKED["in"]}, {"id": "b", **ASKED["is"], "waivable": True})
    for waived in ([], ["a"], ["b"], ["pol-1/a"], ["pol-2/b"], ["pol-1"]):
        evaluation = evaluate([layer], zone(encryption__at_rest=True), World(), now=NOW, roles=ROLES)
        assert waive(evaluation, [layer], waived) == evaluation
    holding = evaluate(
        [layer], zone(location__territory="FR", encryption__at_rest=False), World(), now=NOW, roles=ROLES
    )
    assert waive(holding, [layer], ["pol-1/b"]) == holding


def test_unwaivable_version_of_a_lineage_stays() -> None:
    strict = policy({"id": "a", **ASKED["in"]}, level="lineage")
    lax = policy({"id": "a", **ASKED["is"], "waivable": True}, level="lineage")
    evaluation = evaluate([strict, lax], zone(), World(), now=NOW, roles=ROLES)
    assert waive(evaluation, [strict, lax], ["pol-1/a"]) == evaluation


def test_unsupported_policy_is_never_waived() -> None:
    clause = {"id": "classified", **ASKED["in"], "waivable": True}
    body = {"id": "classified", "level": "classification", "atoms": [clause], "unsupported": True}
    layer: Policy = parse(body)
    evaluation = waive(evaluate([layer], zone(), World(), now=NOW, roles=ROLES), [layer], ["classified/classified"])
    assert [each.code for each in evaluation.results] == ["NOT_SUPPORTED_CLASSIFIED", "WAIVED"]
    assert not evaluation.admits
