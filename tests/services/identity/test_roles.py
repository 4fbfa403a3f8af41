"""Roles that a refusal suggests."""

import pytest

from controlplane.identity.authorization_terms import (
    EXPORTERS,
    MEMBERS,
    METADATA,
    NODES,
    OPERATORS,
    POLICY,
    WATCHERS,
    Roles,
)
from controlplane.identity.roles import least


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (MEMBERS, ["member"]),
        (METADATA, ["viewer"]),
        (EXPORTERS, ["sovereignty_officer", "owner"]),
        (POLICY, ["member", "sovereignty_officer"]),
        (WATCHERS, ["admin", "sovereignty_officer"]),
        (OPERATORS, ["operator"]),
        (NODES, ["operator", "support", "auditor"]),
    ],
)
def test_refusal_names_the_least_role_of_each_kind(roles: Roles, expected: list[str]) -> None:
    assert least(roles) == expected
