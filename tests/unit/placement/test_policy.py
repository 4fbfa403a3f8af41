"""Policies: what parses, how clauses are judged, which contradict each other."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.placement.core.facts import ZoneFacts
from controlplane.placement.core.policy import (
    MAX_ATOMS_EFFECTIVE,
    MAX_ATOMS_PER_LAYER,
    Atom,
    AtomRef,
    Policy,
    PolicyError,
    evaluate,
    parse,
    unsatisfiable,
)
from tests.unit.placement.examples import PARIS, RHINE, VIRGINIA, ZONE_IDS, only_in, policies


def document(**changes: object) -> dict[str, object]:
    return {"id": "pol-1", "level": "project", "atoms": [clause()]} | changes


def clause(**changes: object) -> dict[str, object]:
    return {"id": "loc", "attr": "zone.id", "op": "in", "value": [PARIS, RHINE]} | changes


def test_a_policy_is_read_as_written() -> None:
    expected = Policy("pol-1", "project", (Atom("loc", "zone.id", "in", (RHINE, PARIS)),))
    assert parse(document()) == expected


def test_repeated_and_reordered_values_say_the_same() -> None:
    twice = document(atoms=[clause(value=[RHINE, PARIS, RHINE])])
    assert parse(twice) == parse(document())


def without(body: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in body.items() if key != name}


@pytest.mark.parametrize(
    ("broken", "field", "atom"),
    [
        ([], "", None),
        (document(extra=1), "/extra", None),
        (without(document(), "level"), "/level", None),
        (document(id="Not An Id"), "/id", None),
        (document(level="galaxy"), "/level", None),
        (document(level=["project"]), "/level", None),
        (document(atoms={}), "/atoms", None),
        (document(atoms=["x"]), "/atoms/0", None),
        (document(atoms=[clause(id=7)]), "/atoms/0/id", None),
        (document(atoms=[clause(), clause()]), "/atoms/1/id", "loc"),
        (document(atoms=[clause(roles=["backup"])]), "/atoms/0/roles", "loc"),
        (document(atoms=[without(clause(), "value")]), "/atoms/0/value", "loc"),
        (document(atoms=[clause(attr="zone.colour")]), "/atoms/0/attr", "loc"),
        (document(atoms=[clause(attr=None)]), "/atoms/0/attr", "loc"),
        (document(atoms=[clause(op="not_in")]), "/atoms/0/op", "loc"),
        (document(atoms=[clause(op=["in"])]), "/atoms/0/op", "loc"),
        (document(atoms=[clause(value=PARIS)]), "/atoms/0/value", "loc"),
        (document(atoms=[clause(value=[])]), "/atoms/0/value", "loc"),
        (document(atoms=[clause(value=[PARIS, 7])]), "/atoms/0/value", "loc"),
        (document(atoms=[clause(value=["fr-*"])]), "/atoms/0/value", "loc"),
        (document(atoms=[clause(value=["fr-idf-1\n"])]), "/atoms/0/value", "loc"),
        (document(atoms=[clause(value=[PARIS] * 257)]), "/atoms/0/value", "loc"),
        (document(atoms=[clause(id=f"a{n}") for n in range(MAX_ATOMS_PER_LAYER + 1)]), "/atoms", None),
    ],
)
def test_a_broken_policy_names_the_atom_and_the_field(broken: object, field: str, atom: str | None) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(broken)
    assert (caught.value.field, caught.value.atom) == (field, atom)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["loc", "zone.id", "in", PARIS]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "level", "atoms", "attr", "op", "value"]), inner, max_size=6)
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


def test_every_clause_is_judged_even_after_one_failed() -> None:
    results = evaluate([only_in(PARIS), only_in(RHINE, level="organization")], ZoneFacts(RHINE, "open"))
    assert [(each.result, each.code, each.detail) for each in results] == [
        ("F", "ATTR_MISMATCH", RHINE),
        ("T", "OK", RHINE),
    ]
    assert results[0].ref == AtomRef("pol-project", "project", "loc")


def test_a_zone_nobody_knows_leaves_every_clause_unknown() -> None:
    (result,) = evaluate([only_in(PARIS)], None)
    assert (result.result, result.code) == ("U", "ATTR_UNKNOWN")


def test_a_fact_of_the_wrong_type_is_unknown() -> None:
    (result,) = evaluate([only_in(PARIS)], ZoneFacts("", "open"))
    assert result.result == "U"


def test_an_attribute_cannot_pretend_to_be_another_zone() -> None:
    (result,) = evaluate([only_in(PARIS)], ZoneFacts(VIRGINIA, "open", {"zone.id": PARIS}))
    assert result.result == "F"


def test_too_many_clauses_together_are_refused() -> None:
    layer = parse(document(atoms=[clause(id=f"a{n}") for n in range(MAX_ATOMS_PER_LAYER)]))
    layers = [layer] * (MAX_ATOMS_EFFECTIVE // MAX_ATOMS_PER_LAYER)
    assert len(evaluate(layers, None)) == MAX_ATOMS_EFFECTIVE
    with pytest.raises(PolicyError):
        evaluate([*layers, only_in(PARIS)], None)


def test_only_the_clauses_that_contradict_are_named() -> None:
    found = unsatisfiable([
        only_in(PARIS, RHINE, VIRGINIA, level="platform"),
        only_in(PARIS, RHINE, level="organization"),
        only_in(VIRGINIA, level="project"),
    ])  # fmt: skip
    assert [ref.level for ref in found] == ["organization", "project"]


@given(st.lists(policies, max_size=3))
def test_a_contradiction_is_named_exactly_when_no_zone_satisfies_all(layers: list[Policy]) -> None:
    verdicts = [all(each.result == "T" for each in evaluate(layers, ZoneFacts(zone, "open"))) for zone in ZONE_IDS]
    assert bool(unsatisfiable(layers)) == (not any(verdicts))


def test_nodes_can_evaluate_policies_with_the_standard_library_alone() -> None:
    check = (
        "import sys; import controlplane.placement.core.policy; "
        "print([name for name in sys.modules if name.partition('.')[0] in ('numpy', 'django')])"
    )
    done = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
