"""Address sets as peers of rules."""

from typing import Any

import pytest

from andromede_core.documents.signed import read
from andromede_core.permits import security_group
from controlplane.network.models import PortRulesDocument
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import quota_drift
from controlplane.signer import port_rules as signer
from tests.api.client import Caller
from tests.api.conftest import finish
from tests.world import Cloud

WEB = {"name": "web", "flavor": "tiny", "image": "tiny", "networks": ["lan"]}
OFFICES = {"name": "offices", "cidrs": ["192.0.2.0/24", "2001:DB8::/32", "192.0.2.0/24"]}
SSH = {"direction": "in", "protocol": "tcp", "first_port": 22, "address_set": "offices"}


def make(api: Caller, **more: Any) -> dict[str, Any]:
    created = api.post("address-sets", OFFICES | more)
    assert created.status == 201, created.text
    return dict(created.body)


def signed_ranges() -> list[list[str]]:
    """The ranges of each rule of the signed group."""
    document = PortRulesDocument.objects.get(group__name="web")
    rules = security_group.parse(read(bytes(document.document)).payload).rules
    return [[str(cidr) for cidr in rule.cidrs or ()] for rule in rules]


def test_ranges_are_signed_with_the_rules_that_name_the_set(api: Caller, cloud: Cloud) -> None:
    assert make(api)["cidrs"] == ["192.0.2.0/24", "2001:db8::/32"]
    api.post("security-groups", {"name": "web"})
    rule = api.post("security-groups/web/rules", SSH)
    assert rule.status == 201, rule.text
    assert (rule.body["address_set"]["name"], rule.body["cidrs"], rule.body["family"]) == ("offices", [], "ipv4")
    assert api.post("security-groups/web/rules", SSH | {"family": "ipv6"}).status == 201
    assert api.post("security-groups/web/rules", SSH).problem[:2] == (409, "network.security_group_rule.exists")
    finish(api.post("instances", WEB | {"security_groups": ["web"]}))
    assert signed_ranges() == [["192.0.2.0/24"], ["2001:db8::/32"]]
    before = api.get("security-groups/web").body["generation"]
    api.patch("address-sets/offices", {"cidrs": ["198.51.100.0/24", "203.0.113.9"]})
    assert api.get("security-groups/web").body["generation"] == before + 1
    signer.sign_all()
    # A rule whose set has no range of its family allows nothing.
    assert signed_ranges() == [["198.51.100.0/24", "203.0.113.9/32"]]
    api.patch("address-sets/offices", {"cidrs": []})
    signer.sign_all()
    assert signed_ranges() == []


def test_set_in_use_is_not_deleted(api: Caller, cloud: Cloud) -> None:
    make(api)
    api.post("security-groups", {"name": "web"})
    rule = api.post("security-groups/web/rules", SSH).body["id"]
    refused = api.delete("address-sets/offices")
    assert refused.problem[:2] == (409, "network.address_set.in_use")
    assert "web" in refused.body["detail"]
    api.delete(f"security-groups/web/rules/{rule}")
    assert QuotaUse.objects.get(dimension="address_sets").amount == 1
    assert quota_drift.reconcile() == []
    assert api.delete("address-sets/offices").status == 204
    assert not QuotaUse.objects.filter(dimension="address_sets").exists()


@pytest.mark.parametrize("cidr", ["192.0.2.1/24", "offices", "10.0.0.0/33"])
def test_invalid_range_is_refused(api: Caller, cloud: Cloud, cidr: str) -> None:
    invalid = (400, "network.address_set.invalid", "/cidrs/1")
    assert api.post("address-sets", {"name": "x", "cidrs": ["10.0.0.0/8", cidr]}).problem == invalid
    make(api)
    assert api.patch("address-sets/offices", {"cidrs": ["10.0.0.0/8", cidr]}).problem == invalid
    assert api.patch("address-sets/offices", {"cidrs": ["10.0.0.0/8"] * 101}).problem == (
        400,
        "invalid_request",
        "/cidrs",
    )


def test_rule_names_one_kind_of_peer(api: Caller, cloud: Cloud) -> None:
    make(api)
    api.post("security-groups", {"name": "web"})
    for more in ({"cidrs": ["10.0.0.0/8"]}, {"peer_group": "web"}):
        refused = api.post("security-groups/web/rules", SSH | more)
        assert refused.problem == (400, "network.security_group_rule.invalid", "/address_set"), refused.text
    refused = api.post("security-groups/web/rules", SSH | {"address_set": "homes"})
    assert refused.problem == (422, "network.address_set.not_found", "/address_set"), refused.text
    assert api.post("address-sets", OFFICES).problem == (409, "network.address_set.name_taken", "/name")
