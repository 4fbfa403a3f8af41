"""What a project demands of places, and why things are where they are."""

from controlplane.placement.policies import policy_set
from tests.api.client import Caller
from tests.world import Cloud

EU = {"id": "eu", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}


def test_a_policy_is_replaced_as_a_whole(api: Caller, cloud: Cloud) -> None:
    assert api.get("policy").body == {"version": 0, "atoms": [], "inherited_atoms": [], "created_at": None}
    first = api.put("policy", {"atoms": [EU]})
    assert (first.status, first.body["version"], first.body["atoms"]) == (200, 1, [EU])
    assert api.put("policy", {"atoms": []}).body["version"] == 2
    assert api.get("policy").body["atoms"] == []


def test_what_the_organization_demands_is_shown_and_cannot_be_contradicted(
    api: Caller, operator: Caller, cloud: Cloud
) -> None:
    policy_set(cloud.tenant.actor, atoms=[EU], organization=cloud.tenant.project.organization)
    assert api.get("policy").body["inherited_atoms"] == [EU]
    answer = api.put("policy", {"atoms": [EU | {"id": "us", "value": ["us-va-1"]}]})
    assert answer.problem == (422, "placement.policy_empty", "/atoms")


def test_an_atom_that_is_none(api: Caller, cloud: Cloud) -> None:
    answer = api.put("policy", {"atoms": [EU, EU | {"id": "x", "op": "near"}]})
    assert answer.problem == (400, "placement.policy_invalid", "/atoms/1/op")
    assert api.put("policy", {"atoms": ["eu"]}).problem == (400, "invalid_request", "/atoms/0")


def test_a_decision_that_is_none(api: Caller, cloud: Cloud) -> None:
    for ref in ("x", "01890000-0000-7000-8000-000000000000"):
        assert api.get(f"decisions/{ref}").problem == (404, "placement.decision.not_found", None)
