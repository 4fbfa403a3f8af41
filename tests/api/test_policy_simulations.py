"""Placement simulations, dry runs, zones by policy, and capacity."""

from typing import Any

import pytest
from django.db import connection

from controlplane.identity.actor import SYSTEM
from controlplane.placement.policies import policy_set
from tests.api.client import Caller
from tests.cases import in_one_cloud
from tests.services.policies import EU, SNC, import_all
from tests.world import Cloud, make_node

SIMULATIONS = "/v1/placement/simulations"
HOME = {"id": "home", "attr": "zone.id", "op": "in", "value": ["fr-idf-1"]}
SMALL = {"operation": "instance.create", "vcpus": 1, "memory_mib": 128, "disk_gib": 1}


def rows() -> dict[str, int]:
    """Return the number of rows of each table but the request log."""
    with connection.cursor() as cursor:
        counts = {}
        for table in set(connection.introspection.table_names(cursor)) - {"audit_requestrecord"}:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
            counts[table] = cursor.fetchone()[0]
    return counts


def test_a_simulation_decides_and_keeps_nothing(api: Caller, cloud: Cloud) -> None:
    before = rows()
    answer = api.post(SIMULATIONS, SMALL)
    assert (answer.status, answer.body["is_admitted"], answer.body["admitted_zones"]) == (200, True, ["fr-idf-1"])
    refused = api.post(SIMULATIONS, SMALL | {"policy_atoms": [HOME | {"value": ["us-va-1"]}]})
    assert (refused.status, refused.body["is_admitted"]) == (200, False)
    assert "resource/home" in " ".join(refused.body["explanation"])
    assert rows() == before


def test_first_simulation_of_an_organization_writes_nothing(stranger: Caller, cloud: Cloud) -> None:
    stranger.project = "beta"
    before = rows()
    assert stranger.post(SIMULATIONS, SMALL).status == 200
    assert stranger.post("volumes?dry_run=true", BODIES["volumes"]).status == 200
    assert stranger.get("/v1/zones/fr-idf-1/capacity?flavor=tiny").status == 200
    assert rows() == before


def test_simulation_repeats_its_request(api: Caller, cloud: Cloud) -> None:
    import_all()
    body = SMALL | {"classifications": ["eu-resident"], "policy_atoms": [SNC], "roles": ["storage", "backup"]}
    answer = api.post(SIMULATIONS, body).body
    assert answer["classifications"] == ["eu-resident"]
    assert answer["roles"] == ["storage", "backup"]
    assert [layer["level"] for layer in answer["policies"]] == ["classification", "resource"]
    assert answer["valid_until"] is not None
    zones = {zone["zone"]: zone for zone in answer["document"]["zones"]}
    clauses = {each["atom"] for each in zones["us-va-1"]["results"] if each["result"] != "T"}
    assert clauses == {"loc", "keyloc", "logs", "meta", "adm", "snc"}


def test_a_tenant_sees_no_nodes_and_an_operator_does(api: Caller, operator: Caller, cloud: Cloud) -> None:
    node = str(cloud.machine.row.pk)
    assert node not in api.post(SIMULATIONS, SMALL).text
    assert node in operator.post(SIMULATIONS, SMALL | {"project": "alpha"}).text
    assert operator.post(SIMULATIONS, SMALL).problem == (422, "identity.project.not_found", "/project")


def test_the_explanation_is_in_the_readers_language(api: Caller, cloud: Cloud) -> None:
    body = SMALL | {"policy_atoms": [HOME | {"value": ["us-va-1"]}]}
    english = api.post(SIMULATIONS, body).body["explanation"]
    api.language = "fr"
    assert api.post(SIMULATIONS, body).body["explanation"] != english


@in_one_cloud(
    ("change", "problem"),
    [
        ({"operation": "volume.detach"}, (400, "invalid_request", "/operation")),
        ({"operation": "instance.fly"}, (400, "invalid_request", "/operation")),
        ({"roles": ["everything"]}, (400, "invalid_request", "/roles/0")),
        ({"zones": ["mars-1"]}, (400, "placement.zone_unknown", "/zones")),
        ({"project": "beta"}, (422, "identity.project.not_found", "/project")),
        ({"classifications": ["x"]}, (422, "placement.classification.not_found", "/classifications/0")),
        ({"policy_atoms": [{"id": "x"}]}, (400, "placement.policy_invalid", "/policy_atoms/0/op")),
        ({"vcpus": -1}, (400, "invalid_request", "/vcpus")),
    ],
)
def test_invalid_simulation_is_refused(api: Caller, cloud: Cloud, change: dict[str, Any], problem: Any) -> None:
    assert api.post(SIMULATIONS, SMALL | change).problem == problem


# ---- dry runs


BODIES = {
    "instances": {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]},
    "volumes": {"name": "data", "size_gib": 1},
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_dry_run_of_a_create_writes_nothing(api: Caller, cloud: Cloud, kind: str) -> None:
    before = rows()
    answer = api.post(f"{kind}?dry_run=true", BODIES[kind])
    assert (answer.status, answer.body["is_admitted"]) == (200, True)
    assert rows() == before
    assert api.post(kind, BODIES[kind]).status == 201


@pytest.mark.parametrize("kind", BODIES)
def test_dry_run_explains_a_refusal(api: Caller, cloud: Cloud, kind: str) -> None:
    body = BODIES[kind] | {"policy_atoms": [HOME | {"value": ["us-va-1"]}]}
    before = rows()
    answer = api.post(f"{kind}?dry_run=true", body)
    assert (answer.status, answer.body["is_admitted"]) == (200, False)
    assert answer.body["explanation"]
    assert rows() == before


@pytest.mark.parametrize("kind", BODIES)
def test_dry_run_checks_name_body_and_role(api: Caller, viewer: Caller, cloud: Cloud, kind: str) -> None:
    api.post(kind, BODIES[kind])
    assert api.post(f"{kind}?dry_run=true", BODIES[kind]).problem[0] == 409
    assert api.post(f"{kind}?dry_run=true", BODIES[kind] | {"name": "No Name"}).problem[0] == 400
    assert viewer.post(f"{kind}?dry_run=true", BODIES[kind]).problem[:2] == (403, "identity.role_needed")


# ---- zones


def ids(answer: Any) -> list[str]:
    assert answer.status == 200, answer.body
    return [zone["id"] for zone in answer.body["items"]]


def test_admissible_zones_are_listed(api: Caller, cloud: Cloud) -> None:
    import_all()
    assert ids(api.get("/v1/zones?admissible_for=etat-sensible")) == ["fr-idf-1", "fr-idf-2"]
    assert ids(api.get("/v1/zones?admissible_for=classified")) == []
    everywhere = ids(api.get("/v1/zones?admissible_for=alpha"))
    assert "us-va-1" in everywhere
    policy_set(SYSTEM, clauses=EU, project=cloud.tenant.project)
    assert "us-va-1" not in ids(api.get("/v1/zones?admissible_for=alpha"))
    assert ids(api.get("/v1/zones?admissible_for=alpha&limit=1")) == ["de-rhein-1"]
    for ref in ("beta", "nothing"):
        assert api.get(f"/v1/zones?admissible_for={ref}").problem == (400, "invalid_parameter", "admissible_for")


def test_capacity_of_a_zone_is_counted(api: Caller, operator: Caller, cloud: Cloud) -> None:
    make_node("n-va", zone="us-va-1", vcpus_total=3, memory_mib_total=8192, disk_gib_total=100)
    path = "/v1/zones/us-va-1/capacity?flavor=tiny"
    assert api.get(path).body == {
        "zone": "us-va-1",
        "flavor": "tiny",
        "fits": 3,
        "largest": {"vcpus": 3, "memory_mib": 8192, "disk_gib": 100},
    }
    policy_set(SYSTEM, clauses=[HOME], project=cloud.tenant.project)
    assert (api.get(path).body["fits"], api.get(path).body["largest"]) == (0, None)
    assert operator.get(path).body["fits"] == 3
    policy_set(SYSTEM, clauses=[HOME])
    assert (operator.get(path).body["fits"], operator.get(path).body["largest"]) == (0, None)
    assert api.get("/v1/zones/us-va-1/capacity").problem == (400, "invalid_parameter", "flavor")
    assert api.get("/v1/zones/mars-1/capacity?flavor=tiny").problem[0] == 404
    assert api.get("/v1/zones/us-va-1/capacity?flavor=huge").problem == (422, "catalog.flavor.not_found", "flavor")
