"""Security groups over the API: rules, limits, deletion, and the groups of an instance."""

from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from controlplane.network.models import Port, PortSecurityGroup, SecurityGroup, SecurityGroupRule
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import port_rules as reconciler
from controlplane.reconcilers import quota_drift
from controlplane.signer import port_rules as signer
from tests.api.client import Answer, Caller
from tests.cases import in_one_cloud
from tests.world import Cloud, make_tenant, run

SSH = {"direction": "in", "protocol": "tcp", "first_port": 22}
WEB = {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}


def make_group(api: Caller, name: str, **more: Any) -> dict[str, Any]:
    created = api.post("security-groups", {"name": name, **more})
    assert created.status == 201, created.text
    return dict(created.body)


def add(api: Caller, group: str, **rule: Any) -> Answer:
    return api.post(f"security-groups/{group}/rules", rule)


def run_all(**of: Any) -> None:
    for operation in Operation.objects.filter(finished_at=None, **of):
        run(operation)


def make_instance(api: Caller, name: str = "web", **more: Any) -> dict[str, Any]:
    created = api.post("instances", WEB | {"name": name} | more)
    assert created.status == 201, created.text
    run_all()
    return dict(created.body)


def groups_of(api: Caller, instance: str = "web") -> Any:
    (port,) = api.get(f"instances/{instance}/security-groups").body["ports"]
    return port["security_groups"] and [group["name"] for group in port["security_groups"]]


def test_default_group_exists_with_the_first_network(api: Caller, cloud: Cloud) -> None:
    (group,) = api.get("security-groups").body["items"]
    assert (group["name"], group["is_default"]) == ("default", True)
    rules = api.get("security-groups/default/rules").body["items"]
    assert {(rule["direction"], rule["family"], (rule["peer_group"] or {}).get("name")) for rule in rules} == {
        ("out", "ipv4", None),
        ("out", "ipv6", None),
        ("in", "ipv4", "default"),
        ("in", "ipv6", "default"),
    }
    assert not QuotaUse.objects.filter(dimension="security_groups").exists()


def test_default_group_is_neither_renamed_nor_deleted(api: Caller, cloud: Cloud) -> None:
    assert api.delete("security-groups/default").problem[:2] == (409, "network.security_group.is_default")
    renamed = api.patch("security-groups/default", {"name": "other"})
    assert renamed.problem == (409, "network.security_group.is_default", "/name")
    assert api.patch("security-groups/default", {"labels": {"a": "b"}}).status == 200
    assert api.post("security-groups", {"name": "default"}).problem[:2] == (409, "network.security_group.name_taken")


def test_project_with_only_the_default_group_can_be_deleted(api: Caller, cloud: Cloud) -> None:
    from controlplane.identity.actor import SYSTEM
    from controlplane.identity.services import project_delete

    make_group(api, "web")
    api.delete("networks/lan")
    with pytest.raises(Exception, match="web"):
        project_delete(SYSTEM, cloud.tenant.project)
    api.delete("security-groups/web")
    project_delete(SYSTEM, cloud.tenant.project)


def test_rule_is_shown_as_it_was_given(api: Caller, cloud: Cloud) -> None:
    web, data = make_group(api, "web"), make_group(api, "data")
    created = add(api, "data", direction="in", protocol="tcp", first_port=5432, peer_group="web", description="SQL")
    assert created.status == 201, created.text
    assert created.body | {"id": "", "created_at": ""} == {
        "id": "",
        "direction": "in",
        "family": "ipv4",
        "protocol": "tcp",
        "first_port": 5432,
        "last_port": 5432,
        "icmp_type": None,
        "icmp_code": None,
        "cidrs": [],
        "peer_group": {"id": web["id"], "name": "web"},
        "address_set": None,
        "is_logged": False,
        "description": "SQL",
        "created_at": "",
    }
    assert api.get(f"security-groups/data/rules/{created.body['id']}").body == created.body
    assert api.get("security-groups/data").body["generation"] == data["generation"] + 1
    assert api.delete(f"security-groups/data/rules/{created.body['id']}").status == 204
    assert api.delete(f"security-groups/data/rules/{created.body['id']}").problem[:2] == (
        404,
        "network.security_group_rule.not_found",
    )


@in_one_cloud(
    ("rule", "field"),
    [
        ({"protocol": "icmp", "first_port": 1}, "/first_port"),
        ({"protocol": "any", "first_port": 80}, "/first_port"),
        ({"protocol": "tcp", "first_port": 80, "last_port": 79}, "/last_port"),
        ({"protocol": "tcp", "icmp_type": 8}, "/icmp_type"),
        ({"protocol": "icmp", "icmp_code": 0}, "/icmp_code"),
        ({"protocol": "icmp", "family": "ipv6"}, "/protocol"),
        ({"protocol": "icmpv6", "family": "ipv4"}, "/protocol"),
        ({"cidrs": ["10.0.0.0/8"], "peer_group": "default"}, "/peer_group"),
        ({"cidrs": ["10.0.0.0/8", "10.0.0.1/8"]}, "/cidrs/1"),
        ({"cidrs": ["10.0.0.0/8", "::/0"]}, "/cidrs/1"),
        ({"cidrs": ["anything"]}, "/cidrs/0"),
        ({"cidrs": ["::/0"], "family": "ipv4"}, "/cidrs/0"),
    ],
)
def test_impossible_rule_is_refused_with_its_field(api: Caller, cloud: Cloud, rule: dict[str, Any], field: str) -> None:
    refused = add(api, "default", direction="in", **rule)
    assert refused.problem == (400, "network.security_group_rule.invalid", field)


def test_same_rule_twice_is_refused_with_the_first(api: Caller, cloud: Cloud) -> None:
    first = add(api, "default", **SSH, cidrs=["192.0.2.0/24", "198.51.100.0/24"])
    repeated = add(api, "default", **SSH, last_port=22, cidrs=["198.51.100.0/24", "192.0.2.0/24"], description="again")
    assert repeated.problem[:2] == (409, "network.security_group_rule.exists")
    assert first.body["id"] in repeated.body["detail"]
    assert add(api, "default", **SSH).status == 201


def test_family_follows_from_protocol_and_ranges(api: Caller, cloud: Cloud) -> None:
    assert add(api, "default", direction="in", protocol="icmpv6").body["family"] == "ipv6"
    assert add(api, "default", **SSH, cidrs=["2001:db8::/32"]).body["family"] == "ipv6"


def test_rule_cannot_name_a_group_of_another_project(api: Caller, cloud: Cloud) -> None:
    other = SecurityGroup.objects.create(project=make_tenant("beta").project, name="theirs")
    for ref in (str(other.pk), "theirs"):
        refused = add(api, "default", direction="in", peer_group=ref)
        assert refused.problem == (422, "network.security_group.not_found", "/peer_group")
    assert api.post("instances", WEB | {"security_groups": [str(other.pk)]}).problem == (
        422,
        "network.security_group.not_found",
        "/security_groups/0",
    )


def test_groups_may_name_each_other_in_a_ring(api: Caller, cloud: Cloud) -> None:
    for name in ("one", "two"):
        make_group(api, name)
    assert add(api, "one", direction="in", peer_group="two").status == 201
    assert add(api, "two", direction="in", peer_group="one").status == 201
    assert api.delete("security-groups/one").problem[:2] == (409, "network.security_group.in_use")


def test_group_in_use_is_not_deleted(api: Caller, cloud: Cloud) -> None:
    make_group(api, "web")
    make_group(api, "data")
    instance = make_instance(api, security_groups=["web"])
    add(api, "data", direction="in", peer_group="web")
    refused = api.delete("security-groups/web")
    assert refused.problem[:2] == (409, "network.security_group.in_use")
    assert instance["id"] in refused.body["detail"] and "data" in refused.body["detail"]
    api.put("instances/web/security-groups", {"security_groups": ["data"]})
    assert api.delete("security-groups/web").problem[:2] == (409, "network.security_group.in_use")
    (rule,) = api.get("security-groups/data/rules").body["items"]
    api.delete(f"security-groups/data/rules/{rule['id']}")
    assert api.delete("security-groups/web").status == 204
    assert quota_drift.reconcile() == []


def test_limits_are_errors_that_name_them(api: Caller, cloud: Cloud) -> None:
    group = SecurityGroup.objects.get(name="default")
    SecurityGroupRule.objects.bulk_create(
        SecurityGroupRule(
            group=group, direction="in", family="ipv4", protocol="tcp", first_port=n, last_port=n, fingerprint=str(n)
        )
        for n in range(1, 197)
    )
    assert add(api, "default", **SSH).problem[:2] == (422, "network.security_group.rules_exhausted")
    names = [make_group(api, f"g{n}")["name"] for n in range(17)]
    refused = api.post("instances", WEB | {"security_groups": names})
    assert refused.problem == (422, "network.port.security_groups_exhausted", "/security_groups")
    make_instance(api, security_groups=names[:16])
    refused = api.put("instances/web/security-groups", {"security_groups": names})
    assert refused.problem == (422, "network.port.security_groups_exhausted", "/security_groups")
    with override_settings(QUOTA_DEFAULTS=settings.QUOTA_DEFAULTS | {"security_groups": 17}):
        assert api.post("security-groups", {"name": "more"}).problem[:2] == (409, "quota_exceeded")


def test_new_instance_is_in_the_default_group_or_those_that_it_names(api: Caller, cloud: Cloud) -> None:
    make_group(api, "web")
    make_instance(api, "one")
    make_instance(api, "two", security_groups=["web", "default"])
    make_instance(api, "three", security_groups=[])
    assert [groups_of(api, name) for name in ("one", "two", "three")] == [["default"], ["default", "web"], []]
    assert api.post("instances", WEB | {"security_groups": ["web", "web"]}).problem == (
        400,
        "named_twice",
        "/security_groups/1",
    )


def test_groups_of_an_instance_are_replaced_and_applied(api: Caller, cloud: Cloud) -> None:
    make_group(api, "web")
    make_instance(api)
    signer.sign_all()
    reconciler.reconcile()
    (port,) = api.get("instances/web/security-groups").body["ports"]
    assert (port["rules"]["state"], port["rules"]["reason"]) == ("applied", "")
    (port,) = api.put("instances/web/security-groups", {"security_groups": ["web"]}).body["ports"]
    assert [group["name"] for group in port["security_groups"]] == ["web"]
    assert port["rules"]["state"] == "pending"
    signer.sign_all()
    reconciler.reconcile()
    (applied,) = api.get("instances/web/security-groups").body["ports"]
    assert applied["rules"]["state"] == "applied"
    assert applied["rules"]["version"] > port["rules"]["version"]


def test_dry_run_changes_no_groups(api: Caller, cloud: Cloud) -> None:
    make_instance(api)
    assert api.put("instances/web/security-groups?dry_run=true", {"security_groups": []}).status == 200
    assert groups_of(api) == ["default"]


def test_port_of_the_release_before_shows_no_groups_until_it_gets_some(api: Caller, cloud: Cloud) -> None:
    make_instance(api)
    PortSecurityGroup.objects.all().delete()
    Port.objects.update(is_filtered=False)
    (port,) = api.get("instances/web/security-groups").body["ports"]
    assert (port["security_groups"], port["rules"]) == (None, None)
    Node.objects.update(traits=[])
    refused = api.put("instances/web/security-groups", {"security_groups": ["default"]})
    assert refused.problem[:2] == (409, "network.port.security_groups_unsupported")
    cloud.machine.heartbeat()
    assert api.put("instances/web/security-groups", {"security_groups": ["default"]}).status == 200
    assert groups_of(api) == ["default"]


def test_changes_are_events(api: Caller, cloud: Cloud) -> None:
    make_group(api, "web")
    rule = add(api, "web", **SSH).body["id"]
    api.delete(f"security-groups/web/rules/{rule}")
    api.delete("security-groups/web")
    kinds = [event["kind"] for event in api.get("/v1/events").body["items"]]
    expected = ("created", "rule-added", "rule-removed", "deleted")
    assert [kind for kind in kinds if kind.startswith("security_group")] == [
        f"security_group.{each}" for each in expected
    ]
