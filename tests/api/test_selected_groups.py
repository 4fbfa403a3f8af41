"""Members of security groups by label selector."""

from typing import Any

import pytest

from andromede_core.documents.signed import read
from andromede_core.permits import network_ports, security_group
from controlplane.network import selected_groups
from controlplane.network.models import Port, PortRulesDocument, PortSecurityGroup
from controlplane.signer import port_rules as signer
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.cases import in_one_cloud
from tests.world import Cloud, make_tenant

WEB = {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}


def make_group(api: Caller, name: str, selector: str) -> dict[str, Any]:
    created = api.post("security-groups", {"name": name, "selector": selector})
    assert created.status == 201, created.text
    return dict(created.body)


def groups_of(api: Caller, instance: str = "web") -> dict[str, bool]:
    """The groups of the instance's first port, with whether only a selector selects it."""
    port = api.get(f"instances/{instance}/security-groups").body["ports"][0]
    return {group["name"]: group["is_selected"] for group in port["security_groups"]}


def test_new_instance_is_in_the_group_before_its_first_packet(api: Caller, cloud: Cloud) -> None:
    group = make_group(api, "prod", "env=prod,tier in (web,api)")
    assert group["selector"] == "env=prod,tier in (web,api)"
    finish(api.post("instances", WEB | {"labels": {"env": "prod", "tier": "web"}}))
    finish(api.post("instances", WEB | {"name": "other", "labels": {"env": "prod", "tier": "db"}}))
    assert groups_of(api) == {"default": False, "prod": True}
    assert groups_of(api, "other") == {"default": False}
    listed = network_ports.parse(read(bytes(PortRulesDocument.objects.get(network=cloud.network).document)).payload)
    port = Port.objects.get(instance_id=api.get("instances/web").body["id"])
    assert group["id"] in listed.ports[str(port.pk)].groups  # type: ignore[operator]
    of_group = PortRulesDocument.objects.get(group=group["id"])
    members = security_group.parse(read(bytes(of_group.document)).payload).members
    assert [str(each) for each in members[str(cloud.network.pk)]] == [port.ip]


def test_members_follow_labels_of_instance_and_port(api: Caller, cloud: Cloud) -> None:
    make_group(api, "prod", "env=prod")
    finish(api.post("instances", WEB))
    assert groups_of(api) == {"default": False}
    api.patch("instances/web", {"labels": {"env": "prod"}})
    assert groups_of(api) == {"default": False, "prod": True}
    port = api.get("ports?instance=web").body["items"][0]
    assert {group["name"]: group["is_selected"] for group in port["security_groups"]} == groups_of(api)
    api.patch(f"ports/{port['id']}", {"labels": {"env": "test"}})  # its own value counts
    assert groups_of(api) == {"default": False}
    api.patch(f"ports/{port['id']}", {"labels": {"env": None}})
    assert groups_of(api) == {"default": False, "prod": True}
    api.patch("instances/web", {"labels": {"env": None}})
    assert groups_of(api) == {"default": False}


def test_members_follow_the_selector(api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", WEB | {"labels": {"env": "prod"}}))
    make_group(api, "chosen", "env=prod")
    assert groups_of(api) == {"default": False, "chosen": True}
    api.patch("security-groups/chosen", {"selector": "env!=prod"})
    assert groups_of(api) == {"default": False}
    api.patch("security-groups/chosen", {"selector": "env=prod"})
    api.put("instances/web/security-groups", {"security_groups": ["chosen"]})
    assert groups_of(api) == {"chosen": False}  # it is named, too
    api.put("instances/web/security-groups", {"security_groups": []})
    assert groups_of(api) == {"chosen": True}
    api.patch("security-groups/chosen", {"selector": ""})
    assert groups_of(api) == {}
    assert signer.sign_all() > 0


def test_free_port_gets_and_loses_the_labels_of_its_instance(api: Caller, cloud: Cloud) -> None:
    make_group(api, "prod", "env=prod")
    finish(api.post("instances", WEB | {"labels": {"env": "prod"}}))
    api.post("ports", {"network": "lan", "name": "card"})
    names = lambda: [group["name"] for group in api.get("ports/card").body["security_groups"]]  # noqa: E731
    assert names() == ["default"]
    finish(api.post("ports/card/actions/attach", {"instance": "web"}))
    assert names() == ["default", "prod"]
    finish(api.post("ports/card/actions/detach"))
    assert names() == ["default"]
    finish(api.post("instances", WEB | {"name": "two", "networks": [], "ports": ["card"], "labels": {"env": "prod"}}))
    assert names() == ["default", "prod"]
    finish(api.delete("instances/two"))
    assert names() == ["default"]


def test_group_with_members_by_its_selector_can_be_deleted(api: Caller, cloud: Cloud) -> None:
    make_group(api, "prod", "env=prod")
    finish(api.post("instances", WEB | {"labels": {"env": "prod"}}))
    assert api.delete("security-groups/prod").status == 204
    assert groups_of(api) == {"default": False}


def test_unfiltered_ports_are_not_selected(api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", WEB | {"labels": {"env": "prod"}}))
    PortSecurityGroup.objects.all().delete()
    Port.objects.update(is_filtered=False)
    make_group(api, "prod", "env=prod")
    assert not PortSecurityGroup.objects.exists()
    api.put("instances/web/security-groups", {"security_groups": []})
    assert groups_of(api) == {"prod": True}


def test_selector_selects_in_its_own_project_alone(api: Caller, cloud: Cloud) -> None:
    finish(api.post("instances", WEB | {"labels": {"env": "prod"}}))
    make_tenant("beta")
    other = Caller(token="beta", project="beta")
    created = other.post("security-groups", {"name": "all", "selector": "env=prod"})
    assert created.status == 201, created.text
    assert groups_of(api) == {"default": False}


@in_one_cloud("selector", ["env", "a=b;c", "=x", ",".join(f"k{n}=v" for n in range(33))])
def test_invalid_selector_is_refused(api: Caller, cloud: Cloud, selector: str) -> None:
    answer = api.post("security-groups", {"name": "x", "selector": selector})
    assert answer.problem == (400, "network.security_group.selector_invalid", "/selector"), answer.text
    make_group(api, "y", "")
    answer = api.patch("security-groups/y", {"selector": selector})
    assert answer.problem == (400, "network.security_group.selector_invalid", "/selector"), answer.text


def test_number_of_selectors_is_limited(api: Caller, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selected_groups, "SELECTORS_MAX", 1)
    make_group(api, "one", "a=b")
    make_group(api, "two", "")
    exhausted = (422, "network.security_group.selectors_exhausted", "/selector")
    assert api.post("security-groups", {"name": "three", "selector": "a=b"}).problem == exhausted
    assert api.patch("security-groups/two", {"selector": "a=b"}).problem == exhausted
    assert api.patch("security-groups/one", {"selector": "a=c"}).status == 200
