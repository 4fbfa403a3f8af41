"""Plans from a schema alone."""

import pytest

from clients.terraform.runtime.diagnostics import DiagnosticReport
from clients.terraform.runtime.durations import Timeouts, seconds, shown
from clients.terraform.runtime.planning import differing, proposed, replacing, validate, with_known_values
from clients.terraform.runtime.schema import NUMBER, STRING, Attribute, Nested, set_of
from clients.terraform.runtime.values import UNKNOWN, Values, decode, encode, is_known, without_unknown

PART = {
    "net": Attribute(type=STRING, description="", required=True),
    "mac": Attribute(type=STRING, description="", computed=True),
}
ATTRIBUTES = {
    "id": Attribute(type=STRING, description="", computed=True),
    "name": Attribute(type=STRING, description="", required=True, replace=True),
    "size": Attribute(type=NUMBER, description="", default=1),
    "tags": Attribute(type=set_of(STRING), description="", optional=True),
    "secret": Attribute(type=STRING, description="", optional=True, write_only=True),
    "changed_at": Attribute(type=STRING, description="", computed=True, volatile=True),
    "parts": Attribute(type=Nested("set", PART), description="", optional=True),
}
EMPTY: Values = dict.fromkeys(ATTRIBUTES)


def test_a_new_object_has_defaults_and_unknowns() -> None:
    planned = proposed(ATTRIBUTES, {**EMPTY, "name": "a", "secret": "x"}, None)
    assert planned == {**EMPTY, "id": UNKNOWN, "name": "a", "size": 1, "changed_at": UNKNOWN}


def test_set_members_are_matched_by_configured_attributes() -> None:
    prior = {**EMPTY, "name": "a", "parts": [{"net": "x", "mac": "1"}, {"net": "y", "mac": "2"}]}
    config = {**EMPTY, "name": "a", "parts": [{"net": "y", "mac": None}, {"net": "z", "mac": None}]}
    planned = proposed(ATTRIBUTES, config, prior)
    assert planned["parts"] == [{"net": "y", "mac": "2"}, {"net": "z", "mac": UNKNOWN}]


def test_difference_and_replacement_are_detected() -> None:
    prior = {**EMPTY, "name": "a", "size": 1, "tags": ["x", "y"], "changed_at": "then"}
    planned = {**prior, "name": UNKNOWN, "tags": ["y", "x"], "changed_at": "now"}
    assert differing(ATTRIBUTES, prior, planned) == ["name"]
    assert replacing(ATTRIBUTES, prior, planned) == ["name"]


@pytest.mark.parametrize(
    ("planned", "actual", "expected"),
    [
        (UNKNOWN, "found", "found"),
        ("planned", "other", "planned"),
        ([{"net": "x", "mac": UNKNOWN}], [{"net": "X", "mac": "1"}], [{"net": "x", "mac": "1"}]),
        ({"a": UNKNOWN}, None, {"a": UNKNOWN}),
        ([UNKNOWN], ["x", "y"], [UNKNOWN]),
    ],
)
def test_result_fills_the_unknown_values_of_the_plan(planned: object, actual: object, expected: object) -> None:
    assert with_known_values(planned, actual) == expected


def test_error_about_a_set_member_names_the_set() -> None:
    part = {"net": Attribute(type=STRING, description="", checks=(lambda net: "no" if net == "bad" else None,))}
    attributes = {"parts": Attribute(type=Nested("set", part), description="")}
    report = DiagnosticReport()
    validate(attributes, {"parts": [{"net": "good"}, {"net": "bad"}, {"net": UNKNOWN}, UNKNOWN]}, report)
    assert [remark.path for remark in report.diagnostics] == [("parts",)]


def test_unknown_values_survive_the_wire_and_end_as_null_in_states() -> None:
    value = {"a": [1, UNKNOWN], "b": {"c": UNKNOWN}}
    assert decode(encode(value)) == value
    assert not is_known(value)
    assert without_unknown(value) == {"a": [1, None], "b": {"c": None}}


def test_durations_are_parsed_and_printed() -> None:
    assert (seconds("1h30m"), seconds("45s"), shown(1200), shown(90)) == (5400, 45, "20m", "90s")
    assert Timeouts(create=1200).of("create", None) == 1200
    assert Timeouts(create=1200).of("create", {"create": "5s", "delete": None}) == 5
    assert Timeouts(delete=7).of("delete", {"create": "5s", "delete": None}) == 7
