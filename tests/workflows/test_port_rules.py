"""Signed lists of ports and security groups: what they say, which nodes get them, and when."""

from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from andromede_core.documents.signed import read
from andromede_core.permits import network_ports, security_group
from controlplane.api.v1.zones.schemas import simulation_document
from controlplane.compute.instance_security_groups import instance_security_groups_set
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Instance
from controlplane.compute.port_attachments import port_detach
from controlplane.compute.services import NewInstance, instance_delete, instance_dry_run, instance_update
from controlplane.events.models import Event
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock, wakeups
from controlplane.kernel.errors import CloudError
from controlplane.network import port_rules
from controlplane.network.models import (
    Port,
    PortAddress,
    PortBinding,
    PortRulesCopy,
    PortRulesDocument,
    PortSecurityGroup,
    SecurityGroup,
)
from controlplane.network.port_groups import AppliedRules, applied_rules
from controlplane.network.security_group_rules import (
    NewRule,
    security_group_rule_create,
    security_group_rule_delete,
)
from controlplane.network.security_groups import default_group, security_group_create
from controlplane.network.services import network_create
from controlplane.nodes.models import Node
from controlplane.placement.errors import SignerSilent
from controlplane.reconcilers import port_rules as reconciler
from controlplane.signer import port_rules as signer
from tests.workflows.helpers import ask_instance, done, fresh, make_instance, make_port
from tests.world import Cloud, FakeMachine, Signer, follow, run, run_next_attempt

SSH = NewRule(direction="in", protocol="tcp", ports=(22, 22))
UNREAD = (port_rules.SIGN_PORT, port_rules.SIGN_GROUP, port_rules.UPDATE_NODES)


@pytest.fixture
def machines(cloud: Cloud) -> list[FakeMachine]:
    """Two nodes of one zone and one of another."""
    return [cloud.machine, cloud.world.add_machine("fr-idf-1"), cloud.world.add_machine("de-fra-1")]


def on(cloud: Cloud, machine: FakeMachine, name: str, **more: Any) -> Port:
    """The port of an instance that is made on this machine: the others take nothing new."""
    Node.objects.exclude(pk=machine.row.pk).update(admin_state="cordoned")
    Node.objects.filter(pk=machine.row.pk).update(admin_state="in-service")
    return Port.objects.get(instance_id=make_instance(cloud, name, **more).pk)


def make_group(cloud: Cloud, name: str) -> SecurityGroup:
    return security_group_create(cloud.tenant.actor, cloud.tenant.project, name=name)


def payload(**of: Any) -> Any:
    """The newest document as the node parses it."""
    row = PortRulesDocument.objects.get(**of)
    parse = network_ports.parse if row.network_id else security_group.parse
    document = parse(read(bytes(row.document)).payload)
    assert document.version == row.version
    return document


def applied(port: Port) -> AppliedRules:
    result = applied_rules([fresh(port)])[port.pk]
    assert result is not None
    return result


def versions() -> dict[UUID, int]:
    return dict(PortRulesDocument.objects.values_list("pk", "version"))


def test_list_names_each_port_with_its_nodes_and_groups(cloud: Cloud, machines: list[FakeMachine]) -> None:
    web = make_group(cloud, "web")
    one = on(cloud, machines[0], "one")
    two = on(cloud, machines[1], "two", security_groups=(web,))
    none = on(cloud, machines[1], "none", security_groups=())
    listed = payload(network=cloud.network, zone="fr-idf-1").ports
    default = default_group(cloud.tenant.project)
    assert {port: each.groups for port, each in listed.items()} == {
        str(one.pk): (str(default.pk),),
        str(two.pk): (str(web.pk),),
        str(none.pk): (),
    }
    assert listed[str(two.pk)].nodes == (str(machines[1].row.pk),)
    assert (listed[str(one.pk)].mac, listed[str(one.pk)].addresses) == (one.mac, (ip_address(one.ip),))


def test_list_has_the_name_of_an_instance_at_its_first_port(cloud: Cloud) -> None:
    later, first = (make_port(cloud, name) for name in ("b", "a"))
    make_instance(cloud, "web", networks=(), ports=(first, later))
    listed = payload(network=cloud.network).ports
    assert {port: each.name for port, each in listed.items()} == {str(first.pk): "web", str(later.pk): None}
    done(port_detach(cloud.tenant.actor, fresh(first)))
    signer.sign_all()
    listed = payload(network=cloud.network).ports
    assert {port: each.name for port, each in listed.items()} == {str(later.pk): "web"}


def test_rename_reaches_the_nodes_at_once(
    cloud: Cloud, machines: list[FakeMachine], django_capture_on_commit_callbacks: Any
) -> None:
    port = on(cloud, machines[0], "web")
    instance = Instance.objects.get(pk=port.instance_id)
    with django_capture_on_commit_callbacks(execute=True):
        kept = {"labels": {}, "restart_policy": instance.restart_policy}
        instance_update(cloud.tenant.actor, instance, name="front", **kept)
    assert payload(network=cloud.network, zone=machines[0].row.zone_id).ports[str(port.pk)].name == "front"
    reconciler.reconcile()
    assert applied(port).state == "applied"


def test_group_lists_its_rules_and_its_members_of_each_network(cloud: Cloud, machines: list[FakeMachine]) -> None:
    actor, project = cloud.tenant.actor, cloud.tenant.project
    other = network_create(actor, project, name="other", cidr="10.10.0.0/24", dns_servers=[], labels={})
    one, two = on(cloud, machines[0], "one"), on(cloud, machines[1], "two", networks=(other,))
    far = on(cloud, machines[2], "far")
    default = default_group(project)
    found = payload(group=default, zone="fr-idf-1")
    assert found.members == {str(cloud.network.pk): (ip_address(one.ip),), str(other.pk): (ip_address(two.ip),)}
    assert payload(group=default, zone="de-fra-1").members == {str(cloud.network.pk): (ip_address(far.ip),)}
    assert {(rule.direction, rule.family, rule.group) for rule in found.rules} == {
        ("out", "ipv4", None),
        ("out", "ipv6", None),
        ("in", "ipv4", str(default.pk)),
        ("in", "ipv6", str(default.pk)),
    }


def test_node_gets_the_documents_with_the_port(cloud: Cloud, machines: list[FakeMachine]) -> None:
    port = on(cloud, machines[0], "one")
    reconciler.reconcile()
    assert applied(port).state == "applied"
    assert reconciler.reconcile() == 0


def test_a_rule_signs_one_document_and_reaches_the_nodes_that_need_it(
    cloud: Cloud, machines: list[FakeMachine]
) -> None:
    actor, web = cloud.tenant.actor, make_group(cloud, "web")
    with_it, without = on(cloud, machines[0], "one", security_groups=(web,)), on(cloud, machines[1], "two")
    reconciler.reconcile()
    before = versions()
    security_group_rule_create(actor, web, SSH)
    signer.sign_group(web.pk)
    after = versions()
    document = PortRulesDocument.objects.get(group=web)
    assert [key for key in after if after[key] != before[key]] == [document.pk]
    assert (applied(with_it).state, applied(with_it).reason) == ("pending", "sending")
    assert applied(without).state == "applied"
    assert reconciler.reconcile() == 1
    assert (applied(with_it).state, applied(with_it).version) == ("applied", document.version)
    assert list(PortRulesCopy.objects.filter(document=document).values_list("node", flat=True)) == [machines[0].row.pk]


def test_port_is_pending_until_the_change_is_signed(cloud: Cloud, machines: list[FakeMachine]) -> None:
    web = make_group(cloud, "web")
    port = on(cloud, machines[0], "one", security_groups=(web,))
    reconciler.reconcile()
    rule = security_group_rule_create(cloud.tenant.actor, web, SSH)
    assert (applied(port).state, applied(port).reason) == ("pending", "signing")
    security_group_rule_delete(cloud.tenant.actor, rule)
    assert applied(port).state == "pending"
    assert signer.sign_all() == 0  # it says again what the signed document says
    assert applied(port).state == "applied"


def test_change_of_rules_is_signed_after_the_commit(
    cloud: Cloud, machines: list[FakeMachine], django_capture_on_commit_callbacks: Any
) -> None:
    web = make_group(cloud, "web")
    port = on(cloud, machines[0], "one", security_groups=(web,))
    instance = Instance.objects.get(pk=port.instance_id)
    with django_capture_on_commit_callbacks(execute=True):
        security_group_rule_create(cloud.tenant.actor, web, SSH)
    assert len(payload(group=web).rules) == 1
    with django_capture_on_commit_callbacks(execute=True):
        instance_security_groups_set(cloud.tenant.actor, instance, [])
    assert payload(network=cloud.network).ports[str(port.pk)].groups == ()
    assert payload(group=web).members == {}


def test_groups_that_rules_name_are_sent_too(cloud: Cloud, machines: list[FakeMachine]) -> None:
    web, data = make_group(cloud, "web"), make_group(cloud, "data")
    security_group_rule_create(
        cloud.tenant.actor, data, NewRule(direction="in", protocol="tcp", ports=(5432, 5432), peer=web)
    )
    database = on(cloud, machines[0], "db", security_groups=(data,))
    assert payload(group=web, zone="fr-idf-1").members == {}
    reconciler.reconcile()
    client = on(cloud, machines[1], "web", security_groups=(web,))
    assert payload(group=web, zone="fr-idf-1").members == {str(cloud.network.pk): (ip_address(client.ip),)}
    assert applied(database).state == "pending"
    reconciler.reconcile()
    assert applied(database).state == "applied"
    assert set(PortRulesCopy.objects.filter(document__group=web).values_list("node", flat=True)) == {
        machines[0].row.pk,
        machines[1].row.pk,
    }


def test_groups_in_a_ring_are_signed(cloud: Cloud, machines: list[FakeMachine]) -> None:
    one, two = make_group(cloud, "one"), make_group(cloud, "two")
    for group, peer in ((one, two), (two, one)):
        security_group_rule_create(cloud.tenant.actor, group, NewRule(direction="in", peer=peer))
    port = on(cloud, machines[0], "guest", security_groups=(one,))
    reconciler.reconcile()
    assert applied(port).state == "applied"


def test_other_groups_replace_those_of_an_instance(cloud: Cloud, machines: list[FakeMachine]) -> None:
    web = make_group(cloud, "web")
    port = on(cloud, machines[0], "one")
    reconciler.reconcile()
    instance = Instance.objects.get(pk=port.instance_id)
    instance_security_groups_set(cloud.tenant.actor, instance, [web])
    assert (applied(port).state, applied(port).reason) == ("pending", "signing")
    assert signer.sign_all() == 3  # the list, the group that has the member now, and the one that has it no more
    assert payload(network=cloud.network).ports[str(port.pk)].groups == (str(web.pk),)
    assert payload(group=default_group(cloud.tenant.project)).members == {}
    reconciler.reconcile()
    assert applied(port).state == "applied"


def test_silent_node_is_named_and_gets_the_rules_when_it_is_back(cloud: Cloud, machines: list[FakeMachine]) -> None:
    web = make_group(cloud, "web")
    port = on(cloud, machines[0], "one", security_groups=(web,))
    on(cloud, machines[1], "two", security_groups=(web,))
    reconciler.reconcile()
    machines[0].become_unreachable()
    security_group_rule_create(cloud.tenant.actor, web, SSH)
    signer.sign_all()
    assert reconciler.reconcile() == 1
    found = applied(port)
    assert (found.state, found.reason, found.node) == ("pending", "node-silent", machines[0].row)
    machines[0].come_back()
    reconciler.reconcile()
    assert applied(port).state == "applied"


def test_unfiltered_port_of_the_release_before_stays_so(cloud: Cloud, machines: list[FakeMachine]) -> None:
    port = on(cloud, machines[0], "one")
    PortSecurityGroup.objects.filter(port=port).delete()
    Port.objects.filter(pk=port.pk).update(is_filtered=False)
    signer.sign_all()
    assert payload(network=cloud.network).ports[str(port.pk)].groups is None
    assert applied_rules([fresh(port)]) == {port.pk: None}


def old_agent(machine: FakeMachine) -> None:
    """The node's agent is of a release without security groups."""
    Node.objects.filter(pk=machine.row.pk).update(traits=[t for t in machine.row.traits if t != port_rules.FILTERS])
    machine.row.refresh_from_db()


NOWHERE = ("placement.no_place", "placement.insufficient_capacity")


def unfiltered_events() -> list[UUID]:
    return list(Event.objects.filter(kind="instance.unfiltered").values_list("resource_id", flat=True))


@pytest.mark.parametrize("is_before_request", [True, False])
def test_upgrade_refuses_no_instance(cloud: Cloud, is_before_request: bool) -> None:
    """Ports are unfiltered, as before, where all agents are of the release before; an event says so."""
    if is_before_request:
        old_agent(cloud.machine)
    instance, operation = ask_instance(cloud)
    old_agent(cloud.machine)
    done(operation)
    port = Port.objects.get(instance_id=instance.pk)
    assert not port.is_filtered
    assert not PortSecurityGroup.objects.filter(port=port).exists()
    assert applied_rules([port]) == {port.pk: None}
    assert port.pk in cloud.fake.ports
    assert unfiltered_events() == [instance.pk]


def test_new_instance_prefers_a_node_that_filters(cloud: Cloud, machines: list[FakeMachine]) -> None:
    old_agent(machines[0])
    old_agent(machines[2])
    for name in ("one", "two", "three"):
        instance = make_instance(cloud, name)
        assert instance.node == machines[1].row
        assert Port.objects.get(instance_id=instance.pk).is_filtered
    Node.objects.filter(pk=machines[1].row.pk).update(admin_state="cordoned")
    last = make_instance(cloud, "last")
    assert not Port.objects.get(instance_id=last.pk).is_filtered
    assert unfiltered_events() == [last.pk]


def test_named_groups_need_a_node_that_filters(cloud: Cloud) -> None:
    old_agent(cloud.machine)
    for more in ({"security_groups": (make_group(cloud, "web"),)}, {"ports": (make_port(cloud),)}):
        with pytest.raises(CloudError) as refused:
            ask_instance(cloud, **more)
        assert refused.value.code in NOWHERE
        assert "security-groups" in str(refused.value.as_document())


def test_dry_run_warns_that_no_rule_would_filter(cloud: Cloud) -> None:
    new = NewInstance(name="web", flavor=cloud.flavor, image=cloud.image, networks=(cloud.network,))
    actor, project = cloud.tenant.actor, cloud.tenant.project
    assert not instance_dry_run(actor, project, new).missed_traits
    old_agent(cloud.machine)
    taken = instance_dry_run(actor, project, new)
    assert taken.decision.is_admitted
    document = simulation_document(taken, "instance.create", sees_all=False)
    assert any("no security group would filter its ports" in line for line in document["explanation"])


def test_named_groups_do_not_follow_to_a_node_that_filters_nothing(cloud: Cloud) -> None:
    """The node lost the trait between the request and the placement."""
    _, operation = ask_instance(cloud, security_groups=(make_group(cloud, "web"),))
    old_agent(cloud.machine)
    failed = follow(operation)
    assert failed.state == "failed"
    assert failed.error["code"] in NOWHERE, failed.error
    assert not cloud.fake.ports


def test_port_is_not_sent_to_a_node_that_filters_nothing(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node lost the trait after the decision."""
    monkeypatch.setattr("controlplane.workflows.instance_create.ports_unfilter", lambda instance: 0)
    _, operation = ask_instance(cloud)
    old_agent(cloud.machine)
    failed = follow(operation)
    assert (failed.state, failed.error["code"]) == ("failed", "node.outdated")
    assert not cloud.fake.ports


def test_filtered_guest_does_not_move_to_a_node_that_filters_nothing(cloud: Cloud, machines: list[FakeMachine]) -> None:
    port = on(cloud, machines[0], "one")
    Node.objects.update(admin_state="in-service")
    old_agent(machines[1])
    with pytest.raises(Exception) as refused:
        instance_migrate(SYSTEM, Instance.objects.get(pk=port.instance_id))
    assert refused.value.code in NOWHERE  # type: ignore[attr-defined]


def test_port_waits_for_an_unresponsive_signer(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    _, operation = ask_instance(cloud)
    with monkeypatch.context() as patched:
        patched.setattr(port_rules, "PATIENCE_S", 0.01)
        patched.setattr(wakeups, "current_app", Signer(*UNREAD))
        assert run(operation).state == "running"
        assert not cloud.fake.ports
    assert run_next_attempt(operation).state == "succeeded"


def test_unchanged_documents_need_no_signer(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    port = on(cloud, cloud.machine, "one")
    monkeypatch.setattr(wakeups, "current_app", Signer(*UNREAD))
    monkeypatch.setattr(port_rules, "PATIENCE_S", 0.01)
    assert port_rules.port_documents(port, cloud.machine.row).ports
    PortAddress.objects.filter(port=port).update(ip="10.10.0.77")
    with pytest.raises(SignerSilent):
        port_rules.port_documents(fresh(port), cloud.machine.row)


def test_wait_for_the_signer_reads_only_versions(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    port = on(cloud, cloud.machine, "one")
    monkeypatch.setattr(wakeups, "current_app", Signer(*UNREAD))
    monkeypatch.setattr(port_rules, "PATIENCE_S", 0.1)
    PortAddress.objects.filter(port=port).update(ip="10.10.0.77")
    with CaptureQueriesContext(connection) as captured, pytest.raises(SignerSilent):
        port_rules.port_documents(fresh(port), cloud.machine.row)
    reads = [query for query in captured.captured_queries if 'FROM "network_portaddress"' in str(query["sql"])]
    assert len(reads) == 3, "before the wait, at its beginning and at its end"


def test_documents_signed_by_an_untrusted_key_are_re_signed(cloud: Cloud) -> None:
    port = on(cloud, cloud.machine, "one")
    reconciler.reconcile()
    PortRulesDocument.objects.update(key_id="signer-of-before")
    assert applied(port).reason == "signing"
    assert signer.sign_all() == 2
    assert signer.sign_all() == 0
    assert set(PortRulesDocument.objects.values_list("key_id", flat=True)) == {cloud.world.signer.id}


def test_members_leave_with_their_instance(cloud: Cloud, machines: list[FakeMachine]) -> None:
    one, two = on(cloud, machines[0], "one"), on(cloud, machines[1], "two")
    done(instance_delete(cloud.tenant.actor, Instance.objects.get(pk=one.instance_id)))
    assert signer.sign_all() == 2
    assert set(payload(network=cloud.network).ports) == {str(two.pk)}
    assert payload(group=default_group(cloud.tenant.project)).members == {str(cloud.network.pk): (ip_address(two.ip),)}


def test_moving_port_is_on_two_nodes(cloud: Cloud, machines: list[FakeMachine]) -> None:
    port = on(cloud, machines[0], "one")
    Node.objects.update(admin_state="in-service")
    assert follow(instance_migrate(SYSTEM, Instance.objects.get(pk=port.instance_id))).state == "succeeded"
    row = PortRulesDocument.objects.get(network=cloud.network)
    nodes = network_ports.parse(read(bytes(row.document)).payload).ports[str(port.pk)].nodes
    assert set(nodes) == {str(machines[0].row.pk), str(machines[1].row.pk)}
    signer.sign_all()
    reconciler.reconcile()
    assert payload(network=cloud.network).ports[str(port.pk)].nodes == (str(machines[1].row.pk),)
    assert applied(port).state == "applied"


def test_nodes_and_database_agree_after_a_restored_backup(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    web = make_group(cloud, "web")
    port = on(cloud, cloud.machine, "one", security_groups=(web,))
    backup = PortRulesDocument.objects.get(group=web)
    later = clock.now() + timedelta(hours=1)
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: later)
        for port_number in (22, 443):
            rule = NewRule(direction="in", protocol="tcp", ports=(port_number, port_number))
            security_group_rule_create(cloud.tenant.actor, web, rule)
            signer.sign_all()
        reconciler.reconcile()
    web.rules.all().delete()
    for field in ("version", "digest", "group_generation", "key_id", "document"):
        PortRulesDocument.objects.filter(group=web).update(**{field: getattr(backup, field)})
    SecurityGroup.objects.filter(pk=web.pk).update(generation=backup.group_generation)
    PortRulesCopy.objects.all().delete()
    reconciler.reconcile()
    assert applied(port).state == "pending"
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: later + timedelta(hours=1))
        assert signer.sign_all() == 1
    reconciler.reconcile()
    assert payload(group=web).rules == ()
    assert applied(port).state == "applied"
    assert PortRulesCopy.objects.get(document__group=web).version == payload(group=web).version


def test_thousand_members_and_one_change_are_one_document(cloud: Cloud, django_assert_max_num_queries: Any) -> None:
    web = make_group(cloud, "web")
    on(cloud, cloud.machine, "one", security_groups=(web,))
    many = [
        Port(
            project=cloud.tenant.project,
            name=f"port-{n}",
            network=cloud.network,
            mac=f"56:00:00:00:{n // 250:02x}:{n % 250:02x}",
            is_filtered=True,
        )
        for n in range(1000)
    ]
    Port.objects.bulk_create(many)
    subnet = cloud.network.subnets.get()
    PortAddress.objects.bulk_create(
        PortAddress(port=each, network=cloud.network, subnet=subnet, ip=f"10.11.{n // 250}.{n % 250 + 1}")
        for n, each in enumerate(many)
    )
    PortBinding.objects.bulk_create([PortBinding(port=each, node=cloud.machine.row) for each in many])
    PortSecurityGroup.objects.bulk_create([PortSecurityGroup(port=each, group=web) for each in many])
    signer.sign_all()
    reconciler.reconcile()
    security_group_rule_create(cloud.tenant.actor, web, SSH)
    with django_assert_max_num_queries(30):
        assert signer.sign_all() == 1
    assert len(payload(group=web).members[str(cloud.network.pk)]) == 1001
    assert reconciler.reconcile() == 1
