"""Number of SQL statements of each GET and of the usual writes.

A page of one row takes as many as a full page.
"""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from controlplane.nodes.models import Pool
from controlplane.storage.models import Volume
from tests.api.client import Answer, Caller
from tests.api.snapshots import make_snapshot
from tests.api.test_collections import LISTS
from tests.api.test_instances import KEY
from tests.api.test_isolation import ALL, Route, names  # noqa: F401 - a fixture
from tests.api.user_accounts import make_person
from tests.world import Cloud

# With the credential's own. A read that is recorded has two for its record.
GETS = {
    "health_get": 1,
    "openapi_get": 0,
    "problem_get": 0,
    "session_list": 6,
    "session_get": 5,
    "sign_in_methods_get": 10,
    "openid_provider_list": 0,
    "identity_list": 6,
    "passkey_list": 6,
    "instance_list": 3,
    "instance_get": 3,
    "instance_console_log": 13,
    "instance_placement": 3,
    "instance_metrics": 4,
    "attachment_list": 3,
    "attachment_get": 3,
    "volume_list": 5,
    "volume_get": 13,
    "snapshot_list": 4,
    "snapshot_get": 13,  # in a pool without snapshots: three read the volume types to name
    "snapshot_schedule_list": 2,
    "snapshot_schedule_get": 2,
    "ssh_key_list": 2,
    "ssh_key_get": 2,
    "affinity_group_list": 2,
    "affinity_group_get": 2,
    "drift_list": 2,
    "image_drift_list": 2,
    "remediation_plan_list": 4,
    "remediation_plan_get": 4,
    "resource_residency": 5,
    "evidence_list": 2,
    "evidence_proof": 3,
    "evidence_checkpoint": 2,
    "evidence_witness_request": 2,
    "evidence_export": 2,
    "evidence_export_get": 2,
    "evidence_export_file": 2,
    "audit_list": 5,
    "audit_export": 6,
    "audit_deed_list": 2,
    "organization_audit_list": 7,
    "organization_audit_export": 8,
    "organization_audit_deed_list": 4,
    "platform_audit_list": 6,
    "platform_audit_export": 7,
    "platform_audit_deed_list": 3,
    "network_list": 4,
    "network_get": 4,
    "network_topology": 9,
    "subnet_list": 3,
    "subnet_get": 3,
    "port_list": 3,
    "port_get": 4,
    "port_metrics": 5,
    "security_group_list": 2,
    "security_group_get": 2,
    "security_group_rule_list": 3,
    "security_group_rule_get": 3,
    "security_group_of_instance_get": 16,
    "address_pool_list": 4,
    "address_pool_get": 4,
    "address_pool_reverse_zone_get": 2,  # refused without name servers; tests/api/test_reverse_zones.py has the zone's
    "address_pool_usable_list": 3,
    "public_address_list": 2,
    "public_address_get": 2,
    "public_address_use_list": 2,
    "platform_public_address_list": 3,
    "platform_public_address_use_list": 3,
    "address_set_list": 2,
    "address_set_get": 2,
    "operation_list": 2,
    "operation_get": 2,
    "region_list": 2,
    "zone_get": 4,
    "password_reset_list": 6,
    "password_reset_get": 2,
    "party_list": 2,
    "party_get": 2,
    "set_list": 2,
    "fact_list": 2,
    "officer_key_list": 2,
    "catalogue_get": 5,
    "jurisdiction_list": 4,
    "transfer_list": 3,
    "flavor_list": 2,
    "volume_type_list": 2,
    "volume_type_get": 2,
    "volume_type_usable_list": 2,
    "zone_list": 4,
    "zone_capacity_get": 2,
    "image_list": 4,
    "image_get": 4,
    "platform_policy_get": 2,
    "organization_policy_get": 4,
    "organization_classification_list": 3,
    "resource_lineage_list": 4,
    "policy_get": 3,
    "classification_list": 2,
    "classification_get": 2,
    "classification_policy_get": 4,
    "policy_proposal_list": 2,
    "policy_proposal_get": 2,
    "decision_get": 2,
    "exemption_list": 2,
    "exemption_report": 3,
    "exemption_get": 2,
    "limits_get": 4,
    "quotas_get": 3,
    "organization_limits_get": 6,
    "organization_quotas_get": 4,
    "quota_request_list": 3,
    "quota_request_get": 3,
    "me_get": 6,
    "user_list": 3,
    "user_get": 4,
    "platform_token_list": 3,
    "organization_list": 2,
    "organization_get": 2,
    "member_list": 4,
    "member_get": 7,
    "invitation_list": 3,
    "service_account_list": 5,
    "service_account_get": 5,
    "service_account_token_list": 3,
    "organization_token_list": 3,
    "own_token_list": 2,
    "project_list": 2,
    "project_get": 1,
    "token_list": 2,
    "node_list": 3,
    "node_get": 3,
    "node_incident_list": 4,
    "node_metrics": 6,
    "node_instance_list": 4,
    "node_drain_get": 2,
    "drain_list": 3,
    "instance_migration_list": 4,
    "instance_migration_plan": 20,
    "instance_relocation_plan": 6,
    "volume_relocation_plan": 5,
    "incident_list": 3,
    "announcer_list": 4,
    "announcer_get": 4,
    "announcer_incident_list": 4,
    "storage_cluster_list": 5,
    "storage_cluster_get": 5,
    "storage_cluster_incident_list": 5,
    "pool_list": 7,
    "pool_get": 7,
    "pool_instance_list": 4,
    "pool_volume_list": 4,
    "orphan_list": 3,
    "orphan_get": 3,
    "platform_operation_list": 3,
    "platform_operation_get": 3,
    "node_bmc_get": 2,
    "node_fencing_get": 5,
    "maintenance_list": 2,
    "maintenance_get": 2,
    "terraform_state_list": 2,
    "terraform_state_read": 3,
    "terraform_state_version_list": 3,
    "terraform_state_version_read": 3,
    "terraform_provider_version_list": 1,
    "terraform_provider_package_get": 1,
    "terraform_provider_file_get": 1,
    "webhook_list": 2,
    "webhook_get": 2,
    "webhook_delivery_list": 3,
    "webhook_delivery_get": 3,
    "event_list": 6,
    "event_stream": 6,
    "terraform_services": 1,
    "jwks_get": 1,
}
# With those that begin and end the transaction, and the two of the record of the request.
WRITES = {
    "instance_create": 27,
    "volume_create": 24,
    "network_create": 17,
    "port_create": 20,
    "ssh_key_create": 13,
    "affinity_group_create": 13,
    "instance_update": 18,
    "network_update": 15,
    "instance_power_off": 15,
    "instance_delete": 16,
}
BODIES: dict[str, Any] = {
    "instance_create": {"name": "new", "flavor": "tiny", "image": "tiny", "networks": ["lan"]},
    "volume_create": {"name": "new", "size_gib": 1},
    "network_create": {"name": "new", "cidr": "10.40.0.0/24"},
    "port_create": {"network": "lan", "name": "new"},
    "ssh_key_create": {"name": "new", "public_key": KEY},
    "affinity_group_create": {"name": "new", "rule": "affinity"},
    "instance_update": {"labels": {"env": "test"}},
    "network_update": {"labels": {"env": "test"}},
    "instance_power_off": {},
    "instance_delete": None,
}
# Lists that have several rows in these tests.
FULL = {
    "instance_list",
    "volume_list",
    "snapshot_list",
    "network_list",
    "subnet_list",
    "port_list",
    "ssh_key_list",
    "affinity_group_list",
    "operation_list",
}


@pytest.fixture
def callers(api: Caller, operator: Caller, cloud: Cloud) -> list[Caller]:
    """Return the callers; the first that a route admits calls it."""
    organization = cloud.tenant.project.organization
    people = [make_person(role, organization=organization, role=role) for role in ("sovereignty_officer", "member")]
    return [api, operator, *(each.signed_in() for each in people)]


def counted(caller: Caller, route: Route, url: str, body: Any = None) -> tuple[Answer, int]:
    with CaptureQueriesContext(connection) as queries:
        answer = caller.call(route.method, url, body)
    return answer, len(queries)


def asked(callers: list[Caller], route: Route, url: str) -> tuple[Answer, int]:
    """The second time: the first may read what is remembered from then on."""
    for caller in callers:
        if caller.get(url).status < 400:
            return counted(caller, route, url)
    return counted(callers[0], route, url)


def test_every_get_has_its_number_of_queries(callers: list[Caller], names: dict[str, str]) -> None:  # noqa: F811
    counts = {route.operation_id: asked(callers, route, route.url(names))[1] for route in ALL if route.method == "GET"}
    assert counts == GETS


def test_usual_writes_have_their_number_of_queries(api: Caller, names: dict[str, str]) -> None:  # noqa: F811
    counts = {}
    for operation_id, body in BODIES.items():
        route = next(each for each in ALL if each.operation_id == operation_id)
        counted(api, route, f"{route.url(names)}?dry_run=true", body)
        answer, counts[operation_id] = counted(api, route, route.url(names), body)
        assert answer.status < 300, answer.text
    assert counts == WRITES


def test_full_page_takes_as_many_queries_as_one_row(
    api: Caller,
    callers: list[Caller],
    names: dict[str, str],  # noqa: F811
) -> None:
    for number in range(3):
        for kind, body in {
            "instances": BODIES["instance_create"],
            "volumes": BODIES["volume_create"],
            "networks": BODIES["network_create"] | {"cidr": f"10.5{number}.0.0/24"},
            "networks/lan/subnets": BODIES["network_create"] | {"cidr": f"10.5{number}.0.0/24"},
            "ports": {"network": "lan"},
            "ssh-keys": BODIES["ssh_key_create"],
            "affinity-groups": BODIES["affinity_group_create"],
        }.items():
            assert api.post(kind, body | {"name": f"more-{number}"}).status == 201
        make_snapshot(Volume.objects.get(name=f"more-{number}"), name=f"more-{number}", pool=Pool.objects.get())
    for route in ALL:
        if route.operation_id in LISTS:
            many, of_many = asked(callers, route, f"{route.url(names)}?limit=200")
            one, of_one = asked(callers, route, f"{route.url(names)}?limit=1")
            if route.operation_id in FULL:
                assert len(many.body["items"]) > 3 > len(one.body["items"]), route
            assert of_many == of_one, route
