"""Policies as JSON: what type-checks, and errors that name the clause and the place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andromede_core.documents.canonical import dumps, loads
from andromede_core.facts.attributes import ASKABLE
from andromede_core.facts.territories import TERRITORY_CODES
from andromede_core.policy.clauses import MAX_CLAUSES_EFFECTIVE, Certified, Clause, Policy, PolicyError, effective
from andromede_core.policy.document import MAX_CLAUSES_PER_LAYER, MAX_VALUES, VALUES, as_document, parse
from tests.unit.placement.generated import policies
from tests.unit.placement.sample import EU, HEALTH, OWNERSHIP, STATE, secnumcloud


def document(*clauses: Any, **changes: Any) -> dict[str, Any]:
    return {"id": "pol-1", "level": "project", "atoms": list(clauses) or [clause()]} | changes


def clause(**changes: Any) -> dict[str, Any]:
    return {"id": "loc", "attr": "location.territory", "op": "in", "value": ["DE", "FR"]} | changes


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in names}


def certified(**changes: Any) -> dict[str, Any]:
    return {"id": "snc", "op": "holds", "scheme": "SecNumCloud"} | changes


def distant(**changes: Any) -> dict[str, Any]:
    return {"id": "far", "op": "min_distance_km", "value": 100, "roles": ["backup"]} | changes


def test_a_policy_is_read_as_written() -> None:
    body = document(
        clause(value=["FR", "@EU"], roles=["storage", "backup"]),
        certified(min_version="3.2", level="high", scope="iaas", min_remaining_days=90, waivable=True),
        {
            "id": "veto",
            "attr": "party.non_eu_veto",
            "op": "is",
            "value": False,
            "party_roles": ["remote_support", "operator"],
            "only_with_technical_access": True,
            "assertion_min": "third_party",
        },
        distant(roles=["backup"]),
        {"id": "tested", "attr": "disconnect.tested_at", "op": "within_days", "value": 365},
    )
    assert parse(body) == Policy(
        "pol-1",
        "project",
        (
            Clause("loc", "in", ("@EU", "FR"), "location.territory", roles=("backup", "storage")),
            Clause("snc", "holds", Certified("SecNumCloud", "3.2", "high", "iaas", 90), is_waivable=True),
            Clause(
                "veto",
                "is",
                False,
                "party.non_eu_veto",
                party_roles=("operator", "remote_support"),
                only_with_technical_access=True,
                assertion_min="third_party",
            ),
            Clause("far", "min_distance_km", 100, roles=("backup",)),
            Clause("tested", "within_days", 365, "disconnect.tested_at"),
        ),
    )


def test_clauses_are_not_waivable_by_default() -> None:
    assert not any(clause.is_waivable for clause in parse(document(*EU, *OWNERSHIP, secnumcloud())).clauses)


def test_order_and_repetition_of_values_do_not_matter() -> None:
    assert parse(document(clause(value=["FR", "DE", "FR"]))) == parse(document(clause(value=["DE", "FR"])))


def test_version_is_no_part_of_the_parsed_policy() -> None:
    assert parse(document(version=7)) == parse(document())


def test_contains_accepts_a_single_value() -> None:
    one = clause(attr="tenancy", op="contains", value="dedicated_host")
    assert parse(document(one)) == parse(document(one | {"value": ["dedicated_host"]}))


BROKEN: list[tuple[Any, str, str | None]] = [
    ([], "", None),
    (None, "", None),
    (document(extra=1), "/extra", None),
    (without(document(), "level"), "/level", None),
    (without(document(), "id"), "/id", None),
    (without(document(), "atoms"), "/atoms", None),
    (document(id="Not An Id"), "/id", None),
    (document(id=""), "/id", None),
    (document(id="a" * 65), "/id", None),
    (document(id="pol-1\n"), "/id", None),
    (document(id=7), "/id", None),
    (document(level="galaxy"), "/level", None),
    (document(level=["project"]), "/level", None),
    (document(level=None), "/level", None),
    (document(version=0), "/version", None),
    (document(version=True), "/version", None),
    (document(version="7"), "/version", None),
    (document(version=2**53), "/version", None),
    (document(unsupported=1), "/unsupported", None),
    (document(atoms={}), "/atoms", None),
    (document(atoms=None), "/atoms", None),
    (document("x"), "/atoms/0", None),
    (document(clause(), None), "/atoms/1", None),
    (document(clause(id=7)), "/atoms/0/id", None),
    (document(clause(id="lo c")), "/atoms/0/id", None),
    (document(clause(id="lo c", op="not")), "/atoms/0/op", None),
    (document(clause(id=7, attr=None, extra=1)), "/atoms/0/extra", None),
    (document(without(clause(), "id")), "/atoms/0/id", None),
    (document(clause(), clause(id="x"), clause()), "/atoms/2/id", "loc"),
    (document(*[clause(id=f"a{n}") for n in range(MAX_CLAUSES_PER_LAYER + 1)]), "/atoms", None),
    # fields
    (document(clause(else_="x")), "/atoms/0/else_", "loc"),
    (document(without(clause(), "value")), "/atoms/0/value", "loc"),
    (document(without(clause(), "attr")), "/atoms/0/attr", "loc"),
    (document(without(clause(), "op")), "/atoms/0/op", "loc"),
    (document(clause(scheme="SecNumCloud")), "/atoms/0/scheme", "loc"),
    (document(clause(not_=True)), "/atoms/0/not_", "loc"),
    (document(certified(attr="location.territory")), "/atoms/0/attr", "snc"),
    (document(certified(value=["x"])), "/atoms/0/value", "snc"),
    (document(certified(party_roles=["operator"])), "/atoms/0/party_roles", "snc"),
    (document(distant(attr="location.lat")), "/atoms/0/attr", "far"),
    (document(distant(only_with_technical_access=True)), "/atoms/0/only_with_technical_access", "far"),
    (document(clause(party_roles=["operator"])), "/atoms/0/party_roles", "loc"),
    (document(clause(only_with_technical_access=False)), "/atoms/0/only_with_technical_access", "loc"),
    # attributes and operators
    (document(clause(attr="location.colour")), "/atoms/0/attr", "loc"),
    (document(clause(attr=None)), "/atoms/0/attr", "loc"),
    (document(clause(attr=["location.territory"])), "/atoms/0/attr", "loc"),
    (document(clause(attr="location.lat")), "/atoms/0/op", "loc"),
    (document(clause(attr="node.dedicated_to")), "/atoms/0/attr", "loc"),
    (document(clause(attr="certifications")), "/atoms/0/attr", "loc"),
    (document(clause(attr="parties")), "/atoms/0/attr", "loc"),
    (document(clause(op="not_in")), "/atoms/0/op", "loc"),
    (document(clause(op=["in"])), "/atoms/0/op", "loc"),
    (document(clause(op="subset")), "/atoms/0/op", "loc"),
    (document(clause(op="le", value=1)), "/atoms/0/op", "loc"),
    (document(clause(attr="keys.countries")), "/atoms/0/op", "loc"),
    # values of lists
    (document(clause(value="FR")), "/atoms/0/value", "loc"),
    (document(clause(value={"FR": 1})), "/atoms/0/value", "loc"),
    (document(clause(value=[])), "/atoms/0/value", "loc"),
    (document(clause(value=["FR", 7])), "/atoms/0/value", "loc"),
    (document(clause(value=["FR", ["DE"]])), "/atoms/0/value", "loc"),
    (document(clause(value=["FR", None])), "/atoms/0/value", "loc"),
    (document(clause(value=["fr"])), "/atoms/0/value", "loc"),
    (document(clause(value=["FRA"])), "/atoms/0/value", "loc"),
    (document(clause(value=["FR\n"])), "/atoms/0/value", "loc"),
    (document(clause(value=["F*"])), "/atoms/0/value", "loc"),
    (document(clause(value=["@"])), "/atoms/0/value", "loc"),
    (document(clause(value=["FR", "UK"])), "/atoms/0/value", "loc"),
    (document(clause(value=["XX"])), "/atoms/0/value", "loc"),
    (document(clause(attr="location.urban_area", value=["@EU"])), "/atoms/0/value", "loc"),
    (document(clause(attr="location.urban_area", value=["@Metz !"])), "/atoms/0/value", "loc"),
    (document(clause(attr="party.control_change_notice", op="is", value=True)), "/atoms/0/value", "loc"),
    (document(clause(attr="party.control_change_notice", op="is", value=["none"])), "/atoms/0/value", "loc"),
    (document(clause(attr="party.control_change_notice", op="within_days", value=90)), "/atoms/0/op", "loc"),
    (document(without(distant(), "roles")), "/atoms/0/roles", "far"),
    (document(distant(roles=["backup", "compute"])), "/atoms/0/roles", "far"),
    (document(clause(value=["@E U"])), "/atoms/0/value", "loc"),
    (document(clause(value=["FR"] * (MAX_VALUES + 1))), "/atoms/0/value", "loc"),
    (document(clause(attr="zone.id", value=["@EU"])), "/atoms/0/value", "loc"),
    (document(clause(attr="zone.id", value=["FR-IDF-1"])), "/atoms/0/value", "loc"),
    (document(clause(attr="tenancy", op="contains", value="@EU")), "/atoms/0/value", "loc"),
    (document(clause(attr="tenancy", op="contains", value="shard")), "/atoms/0/value", "loc"),
    (document(clause(attr="tenancy", op="contains", value=[])), "/atoms/0/value", "loc"),
    (document(clause(attr="tenancy", op="contains", value=True)), "/atoms/0/value", "loc"),
    (document(clause(attr="keys.countries", op="contains", value=["@EU"])), "/atoms/0/value", "loc"),
    (document(clause(attr="keys.countries", op="subset", value="FR")), "/atoms/0/value", "loc"),
    (document(clause(attr="party.extraterritorial_exposure", op="disjoint", value=["US"])), "/atoms/0/value", "loc"),
    # values of other types
    (document(clause(attr="encryption.at_rest", op="is", value="true")), "/atoms/0/value", "loc"),
    (document(clause(attr="encryption.at_rest", op="is", value=1)), "/atoms/0/value", "loc"),
    (document(clause(attr="encryption.at_rest", op="is", value=None)), "/atoms/0/value", "loc"),
    (document(clause(attr="party.non_eu_max_single_pct", op="le", value=24)), "/atoms/0/value", "loc"),
    (document(clause(attr="party.non_eu_max_single_pct", op="le", value="24")), "/atoms/0/value", "loc"),
    (document(clause(attr="party.non_eu_max_single_pct", op="le", value="24.0")), "/atoms/0/value", "loc"),
    (document(clause(attr="party.non_eu_max_single_pct", op="le", value="100.01")), "/atoms/0/value", "loc"),
    (document(clause(attr="party.non_eu_max_single_pct", op="le", value="-1.00")), "/atoms/0/value", "loc"),
    (document(clause(attr="network_class", op="ge", value=3)), "/atoms/0/value", "loc"),
    (document(clause(attr="network_class", op="ge", value=True)), "/atoms/0/value", "loc"),
    (document(clause(attr="network_class", op="ge", value=1.0)), "/atoms/0/value", "loc"),
    (document(clause(attr="network_class", op="ge", value=[1])), "/atoms/0/value", "loc"),
    (document(clause(attr="keys.custody", op="ge", value="provider")), "/atoms/0/value", "loc"),
    (document(clause(attr="keys.custody", op="ge", value=2)), "/atoms/0/value", "loc"),
    (document(clause(attr="disconnect.tested_at", op="within_days", value=0)), "/atoms/0/value", "loc"),
    (document(clause(attr="disconnect.tested_at", op="within_days", value=3661)), "/atoms/0/value", "loc"),
    (document(clause(attr="disconnect.tested_at", op="within_days", value="30")), "/atoms/0/value", "loc"),
    (document(distant(value=0)), "/atoms/0/value", "far"),
    (document(distant(value=20_041)), "/atoms/0/value", "far"),
    (document(distant(value=100.0)), "/atoms/0/value", "far"),
    (document(distant(value=True)), "/atoms/0/value", "far"),
    # certificates
    (document(without(certified(), "scheme")), "/atoms/0/scheme", "snc"),
    (document(certified(scheme="")), "/atoms/0/scheme", "snc"),
    (document(certified(scheme=7)), "/atoms/0/scheme", "snc"),
    (document(certified(scheme="@")), "/atoms/0/scheme", "snc"),
    (document(certified(scheme="SNC\n")), "/atoms/0/scheme", "snc"),
    (document(certified(scheme="SNC ")), "/atoms/0/scheme", "snc"),
    (document(certified(scheme="a" * 64)), "/atoms/0/scheme", "snc"),
    (document(certified(scheme="@A B")), "/atoms/0/scheme", "snc"),
    (document(certified(level="a" * 64)), "/atoms/0/level", "snc"),
    (document(certified(scope="IaaS")), "/atoms/0/scope", "snc"),
    (document(certified(scope="i a a s")), "/atoms/0/scope", "snc"),
    (document(certified(scope="a" * 64)), "/atoms/0/scope", "snc"),
    (document(certified(min_version=3.2)), "/atoms/0/min_version", "snc"),
    (document(certified(min_version="three")), "/atoms/0/min_version", "snc"),
    (document(certified(min_version="3.")), "/atoms/0/min_version", "snc"),
    (document(certified(level=2)), "/atoms/0/level", "snc"),
    (document(certified(level="")), "/atoms/0/level", "snc"),
    (document(certified(scope=["iaas"])), "/atoms/0/scope", "snc"),
    (document(certified(min_remaining_days=-1)), "/atoms/0/min_remaining_days", "snc"),
    (document(certified(min_remaining_days=3661)), "/atoms/0/min_remaining_days", "snc"),
    (document(certified(min_remaining_days="90")), "/atoms/0/min_remaining_days", "snc"),
    # selectors
    (document(clause(roles=[])), "/atoms/0/roles", "loc"),
    (document(clause(roles="backup")), "/atoms/0/roles", "loc"),
    (document(clause(roles=["everything"])), "/atoms/0/roles", "loc"),
    (document(clause(roles=[["backup"]])), "/atoms/0/roles", "loc"),
    (document(clause(roles=None)), "/atoms/0/roles", "loc"),
    (document(clause(waivable="no")), "/atoms/0/waivable", "loc"),
    (document(clause(assertion_min="hearsay")), "/atoms/0/assertion_min", "loc"),
    (document(clause(assertion_min=None)), "/atoms/0/assertion_min", "loc"),
    (document(OWNERSHIP[0] | {"party_roles": []}), "/atoms/0/party_roles", "seat"),
    (document(OWNERSHIP[0] | {"party_roles": ["owner"]}), "/atoms/0/party_roles", "seat"),
    (document(OWNERSHIP[0] | {"only_with_technical_access": 1}), "/atoms/0/only_with_technical_access", "seat"),
]


@pytest.mark.parametrize(("broken", "field", "clause"), BROKEN)
def test_malformed_policy_names_the_clause_and_the_path(broken: Any, field: str, clause: str | None) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(broken)
    assert (caught.value.field, caught.value.clause) == (field, clause)
    assert str(caught.value).startswith(field or "/")
    assert clause is None or f"clause {clause}" in str(caught.value)


LIMITS: list[dict[str, Any]] = [
    document(id="a" * 64),
    document(version=2**53 - 1),
    document(*[clause(id=f"a{n}") for n in range(MAX_CLAUSES_PER_LAYER)]),
    document(clause(value=sorted(TERRITORY_CODES))),
    document(clause(attr="location.site_id", value=[f"site-{number:03}" for number in range(MAX_VALUES)])),
    document(clause(attr="location.urban_area", value=["M@etz", "Évry-Courcouronnes"])),
    document(clause(attr="disconnect.tested_at", op="within_days", value=1)),
    document(clause(attr="disconnect.tested_at", op="within_days", value=3660)),
    document(distant(value=1)),
    document(distant(value=20_040)),
    document(distant(roles=["backup", "replica"])),
    document(distant(roles=["replica"])),
    document(certified(scheme="ISO/IEC 27001:2022", level="EAL4+", scope="iaas-2")),
    document(certified(scheme="a" * 63, level="A", scope="a" * 63)),
    document(clause(attr="party.control_change_notice", op="is", value="none")),
    document(certified(min_remaining_days=3660)),
    document(clause(attr="party.non_eu_max_single_pct", op="le", value="100.00")),
    document(clause(attr="party.non_eu_max_single_pct", op="ge", value="0.00")),
    document(clause(attr="network_class", op="le", value=0)),
    document(clause(attr="network_class", op="ge", value=2)),
]


@pytest.mark.parametrize("body", LIMITS)
def test_largest_allowed_policy_is_read(body: dict[str, Any]) -> None:
    assert as_document(parse(body)) == without(body, "version")


def test_optional_certificate_demands_may_be_null_or_zero() -> None:
    defaults = {"min_version": None, "level": None, "scope": None, "min_remaining_days": 0}
    assert parse(document(certified(**defaults))) == parse(document(certified()))


NAMES = {"sets": {"@EU"}, "scheme_classes": {"@QUALIFIED"}}


@pytest.mark.parametrize(
    ("clause", "field"),
    [
        (clause(value=["@EU"]), None),
        (clause(value=["@EFTA"]), "/atoms/0/value"),
        (clause(value=["@QUALIFIED"]), "/atoms/0/value"),
        (certified(scheme="@QUALIFIED"), None),
        (certified(scheme="@EU"), "/atoms/0/scheme"),
        (certified(scheme="SecNumCloud"), None),
    ],
)
def test_unknown_set_or_class_is_refused(clause: dict[str, Any], field: str | None) -> None:
    if field is None:
        parse(document(clause), **NAMES)
    else:
        with pytest.raises(PolicyError) as caught:
            parse(document(clause), **NAMES)
        assert caught.value.field == field
    assert parse(document(clause))  # without a list of the names none is refused


EXAMPLES: dict[str, Any] = {
    "in": ["FR"],
    "subset": ["FR"],
    "contains": ["FR"],
    "disjoint": ["FR"],
    "is": True,
    "le": 1,
    "ge": 1,
    "within_days": 1,
}


@pytest.mark.parametrize("op", sorted(EXAMPLES))
def test_operator_is_refused_by_attributes_that_do_not_take_it(op: str) -> None:
    refused = set()
    for attribute in ASKABLE:
        try:
            parse(document({"id": "x", "attr": attribute, "op": op, "value": EXAMPLES[op]}))
        except PolicyError as error:
            refused |= {attribute} if error.field == "/atoms/0/op" else set()
    assert refused == {attribute for attribute, kind in ASKABLE.items() if op not in kind.operators}


def test_the_operators_are_a_closed_list() -> None:
    assert set(VALUES) == {*EXAMPLES, "holds", "min_distance_km"}


def test_number_of_all_clauses_is_limited() -> None:
    layer = parse(document(*[clause(id=f"a{n}") for n in range(MAX_CLAUSES_PER_LAYER)]))
    layers = [layer] * (MAX_CLAUSES_EFFECTIVE // MAX_CLAUSES_PER_LAYER)
    assert len(effective(layers)) == MAX_CLAUSES_EFFECTIVE
    with pytest.raises(PolicyError) as caught:
        effective([*layers, parse(document())])
    assert str(caught.value) == "/: the policies have 257 clauses together; 256 is the limit"
    assert (caught.value.field, caught.value.clause) == ("", None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["loc", "in", "FR", "@EU"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "level", "atoms", "attr", "op", "value", "scheme"]), inner, max_size=6)
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_parses_or_is_a_policy_error(body: object) -> None:
    try:
        parsed = parse(body)
    except PolicyError as error:
        assert str(error)
    else:
        assert isinstance(parsed, Policy)


@given(json_values)
def test_any_json_as_a_value_parses_or_is_a_policy_error(value: object) -> None:
    for clause in (*EU, *HEALTH, *OWNERSHIP, *STATE, distant()):
        for name in ("value", "roles", "scheme", "min_version", "waivable", "party_roles", "assertion_min"):
            try:
                parse(document({**clause, name: value}))
            except PolicyError as error:
                assert error.field.startswith("/atoms/0")


@given(policies())
def test_a_policy_survives_being_written_and_read(policy: Policy) -> None:
    written = as_document(policy)
    assert parse(written) == policy
    assert parse(json.loads(json.dumps(written))) == policy
    assert parse(loads(dumps(written))) == policy
    assert as_document(parse(written)) == written


# Errors for the author of a policy: the place, the clause and what would be right.
MESSAGES: list[tuple[Any, str]] = [
    ([], "/: must be an object"),
    (document(extra=1), "/extra: unknown field"),
    (without(document(), "level"), "/level: missing"),
    (
        document(level="galaxy"),
        "/level: must be one of platform, organization, project, classification, resource, lineage",
    ),
    (document(atoms={}), "/atoms: must be a list"),
    (document(*[clause(id=f"a{n}") for n in range(65)]), "/atoms: must have at most 64 clauses"),
    (document(unsupported=1), "/unsupported: must be true or false"),
    (document(version=0), "/version: must be a whole number from 1 on"),
    (
        document(id=""),
        "/id: must be 1 to 64 letters, digits, '.', '_', '-', beginning with a letter or digit",
    ),
    (document("x"), "/atoms/0: must be an object"),
    (document(clause(), clause()), "/atoms/1/id (clause loc): another clause of this policy has that id"),
    (document(clause(extra=1)), "/atoms/0/extra (clause loc): unknown field"),
    (document(without(clause(), "value")), "/atoms/0/value (clause loc): missing"),
    (document(without(clause(), "op")), "/atoms/0/op (clause loc): missing"),
    (
        document(clause(op="not")),
        "/atoms/0/op (clause loc): must be one of in, subset, contains, disjoint, is, le, ge, holds, within_days, "
        "min_distance_km",
    ),
    (document(clause(attr="x" * 100)), f"/atoms/0/attr (clause loc): unknown attribute '{'x' * 12}...{'x' * 13}'"),
    (
        document(clause(attr="keys.countries")),
        "/atoms/0/op (clause loc): keys.countries takes only: contains, disjoint, subset",
    ),
    (document(clause(attr="location.lat")), "/atoms/0/op (clause loc): location.lat takes only: no operator"),
    (
        document(clause(party_roles=["operator"])),
        "/atoms/0/party_roles (clause loc): location.territory is not about parties",
    ),
    (document(clause(value=[])), "/atoms/0/value (clause loc): must be a list with at least one value"),
    (document(clause(value=["FR"] * 257)), "/atoms/0/value (clause loc): must have at most 256 values"),
    (document(clause(value=["fr"])), "/atoms/0/value (clause loc): 'fr' is not what location.territory is made of"),
    (
        document(clause(attr="keys.countries", op="contains", value=["@EU"])),
        "/atoms/0/value (clause loc): must name territories one by one",
    ),
    (document(clause(attr="encryption.at_rest", op="is")), "/atoms/0/value (clause loc): must be true or false"),
    (
        document(clause(attr="network_class", op="le", value=7)),
        "/atoms/0/value (clause loc): must be a whole number from 0 to 2",
    ),
    (document(distant(value=0)), "/atoms/0/value (clause far): must be a whole number from 1 to 20040"),
    (
        document(clause(attr="disconnect.tested_at", op="within_days", value=0)),
        "/atoms/0/value (clause loc): must be a whole number from 1 to 3660",
    ),
    (
        document(certified(scheme="")),
        "/atoms/0/scheme (clause snc): must name a certification scheme, or a class of them by @ and its name",
    ),
    (document(certified(min_version="x")), "/atoms/0/min_version (clause snc): must be a version such as 3.2"),
    (
        document(certified(level="")),
        "/atoms/0/level (clause snc): must be 1 to 63 letters, digits, spaces and . _ : / + -, beginning and ending "
        "with a letter or digit",
    ),
    (
        document(certified(scope="")),
        "/atoms/0/scope (clause snc): must be lower-case letters, digits and inner hyphens, such as iaas",
    ),
    (
        document(certified(scope=7)),
        "/atoms/0/scope (clause snc): must be lower-case letters, digits and inner hyphens, such as iaas",
    ),
    (
        document(certified(scope="i_a")),
        "/atoms/0/scope (clause snc): must be lower-case letters, digits and inner hyphens, such as iaas",
    ),
    (
        document(certified(scope="IaaS")),
        "/atoms/0/scope (clause snc): must be lower-case letters, digits and inner hyphens, such as iaas; write iaas",
    ),
    (
        document(clause(value=["UK"])),
        "/atoms/0/value (clause loc): 'UK' is not what location.territory is made of; the code of UK is GB",
    ),
    (
        document(clause(attr="keys.countries", op="contains", value=["EL"])),
        "/atoms/0/value (clause loc): 'EL' is not what keys.countries is made of; the code of EL is GR",
    ),
    (
        document(clause(attr="location.site_id", value=["@EU"])),
        "/atoms/0/value (clause loc): '@EU' is not what location.site_id is made of; '@EU' names a set, and only "
        "policies name sets, where they list territories",
    ),
    (
        document(clause(attr="location.site_id", value=["\n"])),
        "/atoms/0/value (clause loc): '\\n' is not what location.site_id is made of",
    ),
    (
        document(clause(attr="party.control_change_notice", op="is", value=False)),
        "/atoms/0/value (clause loc): must be none",
    ),
    (
        document(without(distant(), "roles")),
        "/atoms/0/roles (clause far): missing: a distance is that of a copy, backup or replica",
    ),
    (
        document(distant(roles=["compute"])),
        "/atoms/0/roles (clause far): 'compute' is not one of backup, replica",
    ),
    (
        document(certified(min_remaining_days=-1)),
        "/atoms/0/min_remaining_days (clause snc): must be a whole number from 0 to 3660",
    ),
    (document(clause(roles=[])), "/atoms/0/roles (clause loc): must be a list with at least one word"),
    (
        document(OWNERSHIP[0] | {"party_roles": ["owner"]}),
        "/atoms/0/party_roles (clause seat): 'owner' is not one of operator, dc_landlord, remote_support, "
        "software_licensing, network_carrier, key_custodian, backup_operator",
    ),
    (
        document(clause(assertion_min="x")),
        "/atoms/0/assertion_min (clause loc): must be one of self_declared, third_party, certificate, measured",
    ),
    (document(clause(waivable=1)), "/atoms/0/waivable (clause loc): must be true or false"),
]


@pytest.mark.parametrize(("broken", "message"), MESSAGES)
def test_policy_error_has_a_message(broken: Any, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(broken)
    assert str(caught.value) == message


def test_names_that_do_not_exist_are_named() -> None:
    for broken, message in (
        (clause(value=["@EFTA"]), "/atoms/0/value (clause loc): there is no set @EFTA"),
        (certified(scheme="@ANY"), "/atoms/0/scheme (clause snc): there is no scheme class @ANY"),
    ):
        with pytest.raises(PolicyError) as caught:
            parse(document(broken), **NAMES)
        assert str(caught.value) == message


def test_error_without_a_field_is_about_the_document() -> None:
    error = PolicyError("it is too much", field="")
    assert (str(error), error.reason, error.field, error.clause) == ("/: it is too much", "it is too much", "", None)
