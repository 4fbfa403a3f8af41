"""Policies compared: which is stricter, which clause has no effect, which can never hold together."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andromede_core.facts.attributes import PARTY_ROLES
from andromede_core.facts.world import Fact, World
from andromede_core.policy.clauses import ClauseRef, Level, Policy
from andromede_core.policy.document import parse
from andromede_core.policy.order import Change, Sets, change, implies, rank, unsatisfiable, without_effect
from tests.unit.placement.sample import EU, HEALTH, NOW, OWNERSHIP, STATE, policy, world

SETS = Sets.of(world(), NOW)
NO_SETS = Sets.of(World(), NOW)
CLASSES = Sets({}, {"@Q": frozenset({"SecNumCloud", "EUCS"}), "@W": frozenset({"SecNumCloud", "EUCS", "C5"})})

Clause = dict[str, Any]
IN_FR: Clause = {"attr": "location.territory", "op": "in", "value": ["FR"]}
IN_FR_DE: Clause = IN_FR | {"value": ["FR", "DE"]}
IN_EU: Clause = IN_FR | {"value": ["@EU"]}
KEYS_FR: Clause = {"attr": "keys.countries", "op": "subset", "value": ["FR"]}
KEYS_EU: Clause = KEYS_FR | {"value": ["@EU"]}
NO_US: Clause = {"attr": "admin.access_from", "op": "disjoint", "value": ["US"]}
NO_US_CN: Clause = NO_US | {"value": ["CN", "US"]}
HAS_HOST: Clause = {"attr": "tenancy", "op": "contains", "value": ["dedicated_host"]}
HAS_BOTH: Clause = HAS_HOST | {"value": ["dedicated_host", "dedicated_zone"]}
SHARE_24: Clause = {"attr": "party.non_eu_max_single_pct", "op": "le", "value": "24.00"}
SHARE_39: Clause = SHARE_24 | {"value": "39.00"}
SHARE_5: Clause = SHARE_24 | {"value": "5.00"}
CLASS_1: Clause = {"attr": "network_class", "op": "ge", "value": 1}
CLASS_2: Clause = CLASS_1 | {"value": 2}
BYOK: Clause = {"attr": "keys.custody", "op": "ge", "value": "customer_byok"}
HYOK: Clause = BYOK | {"value": "customer_hyok"}
DAYS_30: Clause = {"attr": "disconnect.tested_at", "op": "within_days", "value": 30}
DAYS_365: Clause = DAYS_30 | {"value": 365}
KM_100: Clause = {"op": "min_distance_km", "value": 100, "roles": ["backup"]}
KM_300: Clause = KM_100 | {"value": 300}
NO_NOTICE: Clause = {"attr": "party.control_change_notice", "op": "is", "value": "none"}
NO_VETO: Clause = {"attr": "party.non_eu_veto", "op": "is", "value": False}
SNC: Clause = {"op": "holds", "scheme": "SecNumCloud"}
ACCESS = {"only_with_technical_access": True}


def clause(demand: Clause, name: str = "a") -> Clause:
    return {"id": name} | demand


def stricter(strict: Clause, loose: Clause, sets: Sets = SETS) -> bool:
    return implies(policy(clause(strict)).clauses[0], policy(clause(loose)).clauses[0], sets)


# Of each pair the first implies the second, and not the other way round.
STRICTER: list[tuple[Clause, Clause]] = [
    (IN_FR, IN_FR_DE),
    (IN_FR, IN_EU),
    (IN_FR_DE, IN_EU),
    (IN_EU, IN_FR | {"value": ["@EEA"]}),
    (KEYS_FR, KEYS_EU),
    (NO_US_CN, NO_US),
    (NO_US | {"value": ["@EU"]}, NO_US | {"value": ["FR"]}),
    (HAS_BOTH, HAS_HOST),
    (SHARE_24, SHARE_39),
    (SHARE_5, SHARE_24),
    (CLASS_2, CLASS_1),
    (HYOK, BYOK),
    (CLASS_1 | {"op": "le"}, CLASS_2 | {"op": "le"}),
    (BYOK | {"op": "le"}, HYOK | {"op": "le"}),
    (DAYS_30, DAYS_365),
    (KM_300, KM_100),
    # certificates
    (SNC | {"min_version": "3.2"}, SNC),
    (SNC | {"min_version": "3.2"}, SNC | {"min_version": "3.1"}),
    (SNC | {"min_version": "3.10"}, SNC | {"min_version": "3.9"}),
    (SNC | {"level": "high"}, SNC),
    (SNC | {"scope": "iaas"}, SNC),
    (SNC | {"min_remaining_days": 90}, SNC | {"min_remaining_days": 30}),
    # whom and what for
    (IN_FR, IN_FR | {"roles": ["backup"]}),
    (IN_FR | {"roles": ["backup", "key"]}, IN_FR | {"roles": ["backup"]}),
    (NO_VETO, NO_VETO | {"party_roles": ["operator"]}),
    (NO_NOTICE, NO_NOTICE | {"party_roles": ["operator"]}),
    (NO_VETO | {"party_roles": ["operator", "remote_support"]}, NO_VETO | {"party_roles": ["operator"]}),
    (NO_VETO, NO_VETO | ACCESS),
    (IN_FR | {"assertion_min": "third_party"}, IN_FR),
    (IN_FR | {"assertion_min": "measured"}, IN_FR | {"assertion_min": "certificate"}),
    (IN_FR, IN_FR | {"waivable": True}),
]


LISTING = ("in", "subset", "disjoint")


@pytest.mark.parametrize(("strict", "loose"), STRICTER)
def test_one_clause_implies_the_other(strict: Clause, loose: Clause) -> None:
    assert stricter(strict, loose) and not stricter(loose, strict)
    assert stricter(strict, strict) and stricter(loose, loose)
    named = any(value.startswith("@") for each in (strict, loose) if each["op"] in LISTING for value in each["value"])
    assert change([policy(clause(loose))], [policy(clause(strict))]) == ("incomparable" if named else "tighter")
    assert change([policy(clause(strict))], [policy(clause(loose))]) == ("incomparable" if named else "looser")


INCOMPARABLE: list[tuple[Clause, Clause]] = [
    (IN_FR, IN_FR | {"value": ["DE"]}),
    (IN_FR, KEYS_FR),
    (KEYS_FR, KEYS_FR | {"op": "disjoint", "value": ["US"]}),
    (CLASS_1, CLASS_1 | {"op": "le"}),
    (NO_VETO, NO_VETO | {"value": True}),
    (NO_VETO, NO_VETO | {"attr": "party.non_eu_board_majority"}),
    (SNC, {"op": "holds", "scheme": "HDS"}),
    (SNC | {"level": "high"}, SNC | {"level": "basic"}),
    (SNC | {"scope": "iaas"}, SNC | {"scope": "saas"}),
    (SNC | {"min_version": "3.2"}, SNC | {"min_remaining_days": 90}),
    (IN_FR | {"roles": ["backup"]}, IN_FR | {"roles": ["key"]}),
    (IN_FR | {"roles": ["backup"]}, IN_EU),
    (NO_VETO | {"party_roles": ["operator"]}, NO_VETO | {"party_roles": ["remote_support"]}),
    (NO_VETO | {"party_roles": ["operator"]}, NO_VETO | ACCESS),
    (IN_FR | {"waivable": True}, IN_EU),
    (IN_FR, IN_EU | {"assertion_min": "third_party"}),
]


@pytest.mark.parametrize(("one", "other"), INCOMPARABLE)
def test_neither_clause_implies_the_other(one: Clause, other: Clause) -> None:
    assert not stricter(one, other) and not stricter(other, one)
    assert change([policy(clause(one))], [policy(clause(other))]) == "incomparable"


def test_listing_all_party_roles_implies_listing_some() -> None:
    everybody = NO_VETO | {"party_roles": list(PARTY_ROLES)}
    assert stricter(everybody, NO_VETO | {"party_roles": ["operator"]})
    assert stricter(NO_VETO, everybody)


def test_classes_of_schemes_are_compared_by_their_members() -> None:
    wide, narrow = {"op": "holds", "scheme": "@W"}, {"op": "holds", "scheme": "@Q"}
    for strict, loose in ((SNC, narrow), (narrow, wide), (SNC, wide)):
        assert stricter(strict, loose, CLASSES) and not stricter(loose, strict, CLASSES)
    assert not stricter({"op": "holds", "scheme": "C5"}, narrow, CLASSES)


def test_clause_with_an_unknown_set_is_implied_only_by_itself() -> None:
    unknown = IN_FR | {"value": ["FR", "@EU"]}
    assert stricter(unknown, unknown, NO_SETS)
    assert not stricter(IN_FR, unknown, NO_SETS)
    assert stricter(IN_FR, unknown, SETS)
    assert not stricter(SNC, {"op": "holds", "scheme": "@Q"}, NO_SETS)
    same_name = Sets({"@Q": frozenset({"SecNumCloud"})}, {})
    assert not stricter(SNC, {"op": "holds", "scheme": "@Q"}, same_name)


def test_sets_are_compared_as_of_now() -> None:
    past, day = datetime(2020, 1, 1, tzinfo=UTC), timedelta(days=1)
    sets = Sets.of(
        World(
            sets={
                "@NOW": (Fact(["FR"], past, NOW), Fact(["FR", "DE"], NOW)),
                "@PAST": (Fact(["FR"], past, NOW),),
                "@NULL": (Fact(None, past),),
                "@DUE": (Fact(["FR"], past, review_by=NOW),),
                "@EMPTY": (Fact([], past, NOW + day),),
            },
            scheme_classes={"@NOW": (Fact(["SecNumCloud"], past),), "@LATER": (Fact(["EUCS"], NOW + day),)},
        ),
        NOW,
    )
    assert sets.territories == {"@NOW": frozenset({"FR", "DE"}), "@EMPTY": frozenset()}
    assert sets.schemes == {"@NOW": frozenset({"SecNumCloud"})}


@pytest.mark.parametrize(
    ("demand", "expected"),
    [(SHARE_24, 2400), (SHARE_5, 500), (CLASS_2, 2), (BYOK, 3), (HYOK, 4), (KM_100, 100), (DAYS_30, 30)],
)
def test_clauses_have_their_rank(demand: Clause, expected: int) -> None:
    assert rank(policy(clause(demand)).clauses[0]) == expected


# --- changes of whole policies


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], "same"),
        ([], EU, "tighter"),
        (EU, [], "looser"),
        (EU, EU, "same"),
        (EU, [*reversed(EU)], "same"),
        (EU, STATE, "tighter"),
        (STATE, EU, "looser"),
        (EU, HEALTH, "incomparable"),
        (EU, [*EU, clause(IN_FR, "fr")], "tighter"),
        ([*EU, clause(IN_FR, "fr")], EU, "looser"),
        (EU, [clause(IN_FR, "fr"), *EU[1:]], "incomparable"),
        (EU, [clause(IN_FR, "fr"), *EU[2:]], "incomparable"),
        ([*EU, clause(IN_FR, "fr")], [clause(IN_FR, "other"), *EU[1:]], "looser"),
        ([*EU, clause(IN_FR, "fr")], [clause(IN_FR, "other"), *reversed(EU)], "same"),
    ],
)
def test_change_has_its_verdict(before: list[Clause], after: list[Clause], expected: Change) -> None:
    assert change([policy(*before)], [policy(*after)]) == expected


def listing(op: str, *values: str) -> Clause:
    return {"attr": "admin.access_from", "op": op, "value": list(values)}


CLASS_Q: Clause = {"op": "holds", "scheme": "@Q"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # in what is allowed, both must name the same sets
        (listing("subset", "FR", "DE"), listing("subset", "@FR"), "incomparable"),
        (listing("subset", "@EEA"), listing("subset", "@EU"), "incomparable"),
        (listing("subset", "@EU"), listing("subset", "@FR", "@EU"), "incomparable"),
        (listing("subset", "@EU"), listing("subset", "@EU"), "same"),
        (listing("subset", "@EU", "NO"), listing("subset", "@EU"), "tighter"),
        (listing("subset", "@EU"), listing("subset", "@EU", "FR"), "looser"),  # which holds it today
        # in what is forbidden, more of them are stricter
        (listing("disjoint", "@EU"), listing("disjoint", "@EU", "@EEA"), "tighter"),
        (listing("disjoint", "@EU"), listing("disjoint", "@EU", "US"), "tighter"),
        (listing("disjoint", "FR"), listing("disjoint", "@EU"), "incomparable"),
        (listing("disjoint", "@EU"), listing("disjoint", "FR"), "incomparable"),
        # classes of schemes
        (CLASS_Q, CLASS_Q, "same"),
        (CLASS_Q, CLASS_Q | {"scope": "iaas"}, "tighter"),
        (SNC, CLASS_Q, "incomparable"),
        (CLASS_Q, SNC, "incomparable"),
        (CLASS_Q, CLASS_Q | {"scheme": "@W"}, "incomparable"),
    ],
)
def test_change_is_judged_by_set_names_and_not_by_members(before: Clause, after: Clause, expected: Change) -> None:
    assert change([policy(clause(before))], [policy(clause(after))]) == expected


def test_literal_clause_does_not_make_a_named_set_superfluous() -> None:
    both = policy(clause(IN_FR, "fr"), clause(IN_EU, "eu"))
    assert change([both], [policy(clause(IN_FR, "fr"))]) == "looser"
    assert change([policy(clause(IN_EU, "eu"))], [both]) == "tighter"


def test_clause_moved_to_another_level_is_the_same() -> None:
    assert change([policy(*EU)], [policy(*EU[:2], level="project"), policy(*EU[2:], level="resource")]) == "same"


CLASSIFIED = parse({"id": "classified", "level": "classification", "atoms": [], "unsupported": True})


def test_unsupported_policy_is_the_strictest() -> None:
    assert change([policy(*STATE)], [CLASSIFIED]) == "tighter"
    assert change([CLASSIFIED], [policy(*STATE)]) == "looser"
    assert change([CLASSIFIED], [CLASSIFIED, policy(*EU)]) == "same"


# --- no effect


def layer(level: Level, *clauses: Clause) -> Policy:
    named = [clause(each, f"{level[0]}{number}") for number, each in enumerate(clauses)]
    return policy(*named, level=level, name=level)


def idle(*layers: Policy, sets: Sets = SETS) -> list[str]:
    return [ref.clause for ref in without_effect(layers, sets)]


def test_wider_project_clause_has_no_effect() -> None:
    assert idle(layer("organization", IN_FR), layer("project", IN_FR_DE)) == ["p0"]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([layer("organization", IN_FR_DE), layer("project", IN_FR)], []),
        ([layer("project", IN_FR_DE), layer("organization", IN_FR)], ["p0"]),  # however they are listed
        ([layer("project", IN_FR), layer("organization", IN_FR_DE)], []),
        ([layer("organization", IN_FR, IN_EU)], ["o1"]),
        ([layer("organization", IN_EU, IN_FR)], ["o0"]),
        ([layer("organization", IN_EU, IN_EU)], ["o1"]),  # of equal ones the first has the effect
        ([layer("organization", IN_EU, IN_FR, IN_EU)], ["o0", "o2"]),
        ([layer("organization", IN_EU), layer("project", IN_EU)], ["p0"]),
        ([layer("organization", SHARE_39), layer("project", SHARE_24), layer("resource", SHARE_39)], ["r0"]),
        ([layer("organization", IN_FR), layer("project", SNC), layer("resource", IN_FR_DE)], ["r0"]),
        ([layer("organization", IN_FR | {"roles": ["backup"]}), layer("project", IN_FR_DE)], []),
        ([layer("organization", IN_FR | {"waivable": True}), layer("project", IN_FR_DE)], []),
        ([layer("organization", IN_FR), layer("lineage", IN_FR)], ["l0"]),
        ([layer("resource", SNC | {"min_remaining_days": 90}), layer("lineage", SNC)], ["l0"]),
        ([layer("organization", KEYS_FR, NO_US, SNC, KM_100), layer("project", IN_FR)], []),
    ],
)
def test_clauses_without_effect_are_found(layers: list[Policy], expected: list[str]) -> None:
    assert idle(*layers) == expected


def test_clause_without_effect_is_named_with_its_policy() -> None:
    (ref,) = without_effect([layer("organization", IN_FR), layer("project", IN_FR_DE)], SETS)
    assert (ref.policy, ref.level, ref.clause) == ("project", "project", "p0")


# --- contradictions


@pytest.mark.parametrize(
    ("clauses", "named"),
    [
        ([IN_FR], []),
        ([IN_FR, IN_FR_DE, IN_EU], []),
        ([IN_FR, IN_FR | {"value": ["DE"]}], [0, 1]),
        ([IN_EU, IN_FR, IN_FR | {"value": ["DE"]}], [1, 2]),
        ([IN_EU, IN_FR | {"value": ["US"]}, KEYS_FR], [0, 1]),
        (
            [IN_FR | {"value": ["FR", "DE"]}, IN_FR | {"value": ["DE", "IT"]}, IN_FR | {"value": ["IT", "FR"]}],
            [0, 1, 2],
        ),
        ([KEYS_FR, KEYS_FR | {"value": ["DE"]}], [0, 1]),  # keys are somewhere
        ([KEYS_FR, KEYS_FR | {"op": "disjoint"}], [0, 1]),
        ([NO_US | {"op": "subset", "value": ["FR"]}, NO_US | {"op": "subset", "value": ["DE"]}], []),  # from nowhere
        ([NO_US | {"op": "subset", "value": ["US"]}, NO_US], []),
        ([KEYS_FR, KEYS_FR | {"op": "contains", "value": ["DE"]}], [0, 1]),
        ([KEYS_EU, KEYS_FR | {"op": "contains", "value": ["DE", "FR"]}], []),
        ([NO_US, NO_US | {"op": "contains", "value": ["FR", "US"]}], [0, 1]),
        ([HAS_BOTH, HAS_HOST | {"op": "disjoint"}], [0, 1]),
        ([NO_VETO, NO_VETO | {"value": True}], [0, 1]),
        ([NO_VETO, NO_VETO], []),
        ([NO_NOTICE, NO_NOTICE], []),
        ([SHARE_24, SHARE_24 | {"op": "ge", "value": "24.00"}], []),
        ([SHARE_24, SHARE_24 | {"op": "ge", "value": "24.01"}], [0, 1]),
        ([SHARE_39, SHARE_24, SHARE_24 | {"op": "ge", "value": "30.00"}], [1, 2]),
        ([CLASS_2, CLASS_1 | {"op": "le"}], [0, 1]),
        ([CLASS_2, CLASS_2 | {"op": "le"}], []),
        ([HYOK, BYOK | {"op": "le"}], [0, 1]),
        ([HYOK], []),
        ([CLASS_1 | {"op": "le", "value": 0}], []),
        # asked at different times, or of others
        ([IN_FR | {"roles": ["key"]}, IN_FR | {"value": ["DE"], "roles": ["backup"]}], []),
        ([IN_FR | {"roles": ["key"]}, IN_FR | {"value": ["DE"]}], [0, 1]),
        ([IN_FR | {"roles": ["key", "log"]}, IN_FR | {"value": ["DE"], "roles": ["log", "admin"]}], [0, 1]),
        ([NO_VETO | {"party_roles": ["operator"]}, NO_VETO | {"value": True}], [0, 1]),
        ([NO_VETO | {"party_roles": ["dc_landlord"]}, NO_VETO | {"value": True}], []),
        ([NO_VETO | {"party_roles": ["dc_landlord", "operator"]}, NO_VETO | {"value": True}], [0, 1]),
        ([NO_VETO | ACCESS, NO_VETO | {"value": True}], []),  # perhaps nobody has access
        # nothing to compare
        ([SNC, {"op": "holds", "scheme": "HDS"}, KM_100, KM_300, DAYS_30, DAYS_365], []),
    ],
)
def test_contradictory_clauses_are_found(clauses: list[Clause], named: list[int]) -> None:
    refs = unsatisfiable([layer("organization", *clauses)], SETS)
    assert [ref.clause for ref in refs] == [f"o{number}" for number in named]


SOON = IN_FR | {"value": ["@SOON"]}


@pytest.mark.parametrize(
    ("clauses", "named"),
    [
        ([IN_FR, SOON], []),
        ([SOON, IN_FR | {"value": ["@LATER"]}], []),
        ([IN_FR | {"value": ["DE"]}, IN_FR | {"value": ["@SOON", "FR"]}], []),
        ([NO_US | {"value": ["@SOON"]}, NO_US | {"op": "contains", "value": ["US"]}], []),
        ([IN_FR, SOON, IN_FR | {"value": ["DE"]}], [0, 2]),
        ([IN_FR, IN_FR | {"value": ["@EEA"]}, IN_FR | {"value": ["US"]}], [1, 2]),
    ],
)
def test_clause_with_a_set_not_in_force_is_no_contradiction(clauses: list[Clause], named: list[int]) -> None:
    refs = unsatisfiable([layer("organization", *clauses)], SETS)
    assert [ref.clause for ref in refs] == [f"o{number}" for number in named]


def test_only_clauses_of_the_requested_role_contradict() -> None:
    backup = {"roles": ["backup", "key"]}
    layers = [layer("organization", IN_FR | backup, IN_FR | {"value": ["DE"]} | backup)]
    assert [ref.clause for ref in unsatisfiable(layers, SETS)] == ["o0", "o1"]
    assert [ref.clause for ref in unsatisfiable(layers, SETS, roles=("compute", "backup"))] == ["o0", "o1"]
    assert unsatisfiable(layers, SETS, roles=("compute",)) == ()
    assert unsatisfiable([*layers, CLASSIFIED], SETS, roles=()) == (
        ClauseRef("classified", "classification", "classified"),
    )


def test_contradiction_names_only_its_clause_of_equal_policies() -> None:
    """Such as two versions of a policy in a lineage."""
    twins = [layer("lineage", IN_FR), layer("lineage", IN_FR), layer("lineage", IN_FR_DE, IN_FR | {"value": ["DE"]})]
    assert [ref.clause for ref in unsatisfiable(twins, SETS)] == ["l0", "l1"]


def test_a_contradiction_between_levels_names_both() -> None:
    refs = unsatisfiable([layer("organization", IN_FR), layer("project", IN_FR | {"value": ["DE"]})], SETS)
    assert [(ref.level, ref.clause) for ref in refs] == [("organization", "o0"), ("project", "p0")]


def test_unsupported_policy_is_unsatisfiable() -> None:
    refs = unsatisfiable([layer("organization", IN_FR), CLASSIFIED], SETS)
    assert refs == (ClauseRef("classified", "classification", "classified"),)


def test_sample_policies_have_no_contradiction() -> None:
    for clauses in (EU, HEALTH, STATE, [*EU, *OWNERSHIP]):
        assert unsatisfiable([policy(*clauses)], SETS) == ()
        assert without_effect([policy(*clauses)], SETS) == ()
