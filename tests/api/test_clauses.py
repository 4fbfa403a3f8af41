"""Clauses of policies in requests: what the document says of them is what the policy language takes."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from andromede_core.policy.clauses import PolicyError
from andromede_core.policy.document import VALUES, parse
from tests.api.contract import contract

GOOD: list[dict[str, Any]] = [
    {"id": "loc", "attr": "location.territory", "op": "in", "value": ["@EU"], "waivable": True},
    {"id": "veto", "attr": "party.non_eu_veto", "op": "is", "value": False, "party_roles": ["operator"]},
    {"id": "site", "attr": "location.site_id", "op": "in", "value": ["2026"], "roles": ["compute", "backup"]},
    {"id": "sov", "attr": "seal.SOV-3", "op": "ge", "value": 2, "assertion_min": "third_party"},
    {"id": "tested", "attr": "disconnect.tested_at", "op": "within_days", "value": 365},
    {"id": "snc", "op": "holds", "scheme": "SecNumCloud", "min_version": "3.2", "level": None, "min_remaining_days": 0},
    {"id": "far", "op": "min_distance_km", "value": 100, "roles": ["backup"]},
]
BAD: list[dict[str, Any]] = [
    {"attr": "location.territory", "op": "in", "value": ["FR"]},
    {"id": "-", "attr": "location.territory", "op": "in", "value": ["FR"]},
    {"id": "loc", "attr": "location.territory", "op": "like", "value": ["FR"]},
    {"id": "loc", "attr": "location.territory", "op": "in", "value": ["FR"], "allow": True},
    {"id": "loc", "attr": "location.territory", "op": "in", "value": ["FR"], "waivable": None},
    {"id": "loc", "attr": "location.territory", "op": "in", "value": ["FR"], "roles": []},
    {"id": "loc", "attr": "location.territory", "op": "in", "value": ["FR"], "roles": ["cook"]},
    {"id": "loc", "attr": "location.territory", "op": "in", "value": ["FR"], "assertion_min": "rumoured"},
    {"id": "loc", "attr": 1, "op": "in", "value": ["FR"]},
    {"id": "snc", "op": "holds", "scheme": None},
    {"id": "snc", "op": "holds", "scheme": "SecNumCloud", "min_version": 3.2},
    {"id": "snc", "op": "holds", "scheme": "SecNumCloud", "min_remaining_days": -1},
]


def is_described(clause: dict[str, Any]) -> bool:
    clauses = contract()["components"]["schemas"]["VolumeInput"]["properties"]["policy_atoms"]
    return bool(Draft202012Validator(clauses).is_valid([clause]))


def is_read(clause: dict[str, Any]) -> bool:
    try:
        parse({"id": "x", "level": "resource", "atoms": [clause]})
    except PolicyError:
        return False
    return True


@pytest.mark.parametrize("clause", GOOD)
def test_accepted_clause_is_described(clause: dict[str, Any]) -> None:
    assert (is_read(clause), is_described(clause)) == (True, True)


@pytest.mark.parametrize("clause", BAD)
def test_undescribed_clause_is_refused(clause: dict[str, Any]) -> None:
    assert (is_read(clause), is_described(clause)) == (False, False)


def test_all_operators_are_described() -> None:
    clause = contract()["components"]["schemas"]["VolumeInput"]["properties"]["policy_atoms"]["items"]
    assert set(clause["properties"]["op"]["enum"]) == VALUES.keys()
