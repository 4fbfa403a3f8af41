"""The signer's sweep: all documents are compared with a few queries, and what changes meanwhile is signed right."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from andromede_core.documents.signed import read
from andromede_core.permits import security_group
from controlplane.network import port_rules_content as content
from controlplane.network.models import (
    AllowedAddress,
    Port,
    PortAddress,
    PortBinding,
    PortRulesDocument,
    PortSecurityGroup,
    SecurityGroup,
)
from controlplane.network.security_group_rules import NewRule, security_group_rule_create
from controlplane.network.security_groups import security_group_create
from controlplane.network.segments import trusted_keys
from controlplane.network.services import network_create
from controlplane.nodes.models import Node
from controlplane.signer import port_rules as signer
from tests.world import Cloud


def make_group(cloud: Cloud, name: str) -> SecurityGroup:
    return security_group_create(cloud.tenant.actor, cloud.tenant.project, name=name)


def make_network(cloud: Cloud, number: int, *nodes: Node) -> SecurityGroup:
    """Make a network with a port that the nodes carry, in a group of its own. Returns the group."""
    actor, project = cloud.tenant.actor, cloud.tenant.project
    fields = {"name": f"net-{number}", "cidr": f"10.20.{number}.0/24", "dns_servers": [], "labels": {}}
    network, group = network_create(actor, project, **fields), make_group(cloud, f"group-{number}")
    mac, ip = f"56:00:00:00:02:{number:02x}", f"10.20.{number}.9"
    port = Port.objects.create(project=project, name=f"port-{number}", network=network, mac=mac, is_filtered=True)
    PortAddress.objects.create(port=port, network=network, subnet=network.subnets.get(), ip=ip)
    AllowedAddress.objects.create(port=port, cidr=f"10.20.{number}.128/25")
    PortSecurityGroup.objects.create(port=port, group=group)
    for node in nodes:
        PortBinding.objects.create(port=port, node=node)
    return group


def allow(cloud: Cloud, group: SecurityGroup, port: int) -> None:
    security_group_rule_create(
        cloud.tenant.actor, group, NewRule(direction="in", protocol="tcp", ports=(port, port), cidrs=("192.0.2.0/24",))
    )


def ports_of_rules(group: SecurityGroup) -> list[int]:
    """The ports that the newest document allows from outside."""
    row = PortRulesDocument.objects.get(group=group)
    rules = security_group.parse(read(bytes(row.document)).payload).rules
    return sorted(rule.ports[0] for rule in rules if rule.ports is not None)


def during_comparison(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Make the change once, right after the sweep has read the rows of groups."""
    read_rows, changes = content.payloads, [change]

    def payloads(versions: Mapping[content.DocumentKey, int]) -> Any:
        result = read_rows(versions)
        if changes and any(key.group for key in versions):
            changes.pop()()
        return result

    monkeypatch.setattr(content, "payloads", payloads)


def queries_of_sweep() -> int:
    with CaptureQueriesContext(connection) as queries:
        assert signer.sign_all() == 0
    return len(queries)


def test_queries_do_not_grow_with_networks(cloud: Cloud) -> None:
    make_network(cloud, 0, cloud.machine.row)
    assert signer.sign_all() == 2
    few = queries_of_sweep()
    for number in range(1, 6):
        make_network(cloud, number, cloud.machine.row)
    assert signer.sign_all() == 10
    assert queries_of_sweep() == few


def test_many_documents_equal_those_built_alone(cloud: Cloud) -> None:
    here, far = cloud.machine.row, cloud.world.add_machine("de-fra-1").row
    groups = [make_network(cloud, 0, here), make_network(cloud, 1, far), make_network(cloud, 2, here, far)]
    for number, group in enumerate(groups):
        allow(cloud, group, 8000 + number)
    keys = content.needed_documents()
    assert len(keys) == 8
    together = content.payloads(dict.fromkeys(keys, 7))
    assert together == {key: content.payload(key, 7) for key in keys}
    for key, (_, payload) in together.items():
        assert len(payload["ports"] if key.network else payload["members"]) == 1  # type: ignore[arg-type]


def test_parts_cover_all_documents(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signer, "PART_NETWORKS", 2)
    monkeypatch.setattr(signer, "PART_GROUPS", 2)
    for number in range(5):
        make_network(cloud, number, cloud.machine.row)
    assert set(signer.changed_documents(trusted_keys())) == content.needed_documents()
    assert signer.sign_all() == 10
    assert list(signer.changed_documents(trusted_keys())) == []


def test_change_during_the_sweep_is_signed_with_it(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    group = make_network(cloud, 0, cloud.machine.row)
    signer.sign_all()
    allow(cloud, group, 22)
    during_comparison(monkeypatch, lambda: allow(cloud, group, 443))
    assert signer.sign_all() == 1
    assert ports_of_rules(group) == [22, 443]
    assert signer.sign_all() == 0


def test_document_signed_during_the_sweep_keeps_its_version(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    group = make_network(cloud, 0, cloud.machine.row)
    signer.sign_all()
    allow(cloud, group, 22)
    during_comparison(monkeypatch, lambda: signer.sign_group(group.pk))
    assert signer.sign_all() == 0
    assert ports_of_rules(group) == [22]
