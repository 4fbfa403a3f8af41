"""Ports plugged into instances that run, and out of them; instances that begin with ports made before."""

from datetime import timedelta

import pytest

from agents.node.adapters.interfaces import Power
from controlplane.compute.errors import InstanceWrongState, PortNotAttached, TooManyPorts
from controlplane.compute.expected_resources import ports_without_instance
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Instance
from controlplane.compute.port_attachments import port_attach, port_detach
from controlplane.compute.services import instance_delete, instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.network.errors import NetworkInUse, PortAttached
from controlplane.network.models import Port, PortBinding
from controlplane.network.ports import NewPort, port_create, port_delete
from controlplane.network.services import network_create, network_delete
from controlplane.operations.errors import Busy
from controlplane.operations.models import Operation
from controlplane.quotas.models import QuotaUse
from controlplane.reconcilers import quota_drift
from controlplane.workflows.registry import WORKFLOWS
from tests.services.policies import in_zones, ruled
from tests.workflows.helpers import (
    altered,
    ask_instance,
    assert_clean_slate,
    cancel,
    done,
    explode,
    fresh,
    make_instance,
    make_port,
    make_stopped_instance,
    run_on,
    then,
)
from tests.world import Cloud, run, run_next_attempt


def attach(cloud: Cloud, port: Port, instance: Instance) -> Operation:
    return port_attach(cloud.tenant.actor, port, instance=instance)


def detach(cloud: Cloud, port: Port) -> Operation:
    return port_detach(cloud.tenant.actor, fresh(port))


def cards(cloud: Cloud, instance: Instance) -> list[str]:
    return [nic.mac for nic in cloud.fake.guests[instance.pk].spec.nics]


def test_running_guest_gets_and_loses_a_card(cloud: Cloud) -> None:
    instance, port = make_instance(cloud), make_port(cloud)
    first = Port.objects.get(instance_id=instance.pk)
    operation = done(attach(cloud, port, instance))
    assert (operation.resource_id, operation.resource_ids) == (instance.pk, [instance.pk, port.pk])
    assert cards(cloud, instance) == [first.mac, port.mac], "the new one is the last"
    assert cloud.fake.guests[instance.pk].starts == 1
    assert PortBinding.objects.get(port=port).node_id == instance.node_id
    done(detach(cloud, port))
    assert cards(cloud, instance) == [first.mac]
    assert set(cloud.fake.ports) == {first.pk}
    assert (fresh(port).instance_id, fresh(port).position) == (None, 0)
    assert not PortBinding.objects.filter(port=port).exists()
    assert quota_drift.reconcile() == []


def test_port_can_be_attached_repeatedly_and_elsewhere(cloud: Cloud) -> None:
    one, other, port = make_instance(cloud), make_instance(cloud, "other"), make_port(cloud)
    for instance in (one, one, other):
        done(attach(cloud, fresh(port), instance))
        assert port.mac in cards(cloud, instance)
        done(detach(cloud, port))
        assert port.mac not in cards(cloud, instance)


def test_stopped_guest_has_the_card_at_its_next_start(cloud: Cloud) -> None:
    instance, port = make_stopped_instance(cloud), make_port(cloud)
    done(attach(cloud, port, instance))
    assert cloud.fake.guests[instance.pk].power is Power.OFF
    done(instance_start(cloud.tenant.actor, fresh(instance)))
    assert port.mac in cards(cloud, instance)


def test_port_of_an_instance_is_deleted_when_it_is_detached(cloud: Cloud) -> None:
    instance = make_instance(cloud, networks=(cloud.network, cloud.network))
    first, second = Port.objects.filter(instance_id=instance.pk).order_by("position")
    done(detach(cloud, first))
    assert [port.pk for port in Port.objects.all()] == [second.pk]
    use = QuotaUse.objects.filter(resource_id=instance.pk, dimension__in=["ports", "addresses"])
    assert set(use.values_list("dimension", "amount")) == {("ports", 1), ("addresses", 1)}
    assert quota_drift.reconcile() == []


def test_instance_begins_with_ports_made_before_and_frees_them(cloud: Cloud) -> None:
    ports = [make_port(cloud, name) for name in ("one", "two")]
    instance = make_instance(cloud, ports=(ports[1], ports[0]))
    own = Port.objects.get(instance_id=instance.pk, is_own=False)
    assert cards(cloud, instance) == [own.mac, ports[1].mac, ports[0].mac]
    with pytest.raises(PortAttached):
        port_delete(cloud.tenant.actor, fresh(ports[0]))
    with pytest.raises(PortAttached):
        ask_instance(cloud, "second", ports=(fresh(ports[0]),))
    done(instance_delete(cloud.tenant.actor, instance))
    assert {port.pk for port in Port.objects.filter(instance_id=None)} == {port.pk for port in ports}
    make_instance(cloud, "third", networks=(), ports=tuple(map(fresh, ports)))
    done(instance_delete(cloud.tenant.actor, Instance.objects.get(name="third")))
    for port in ports:
        port_delete(cloud.tenant.actor, fresh(port))
    assert_clean_slate(cloud)


def test_failed_creation_frees_the_ports(cloud: Cloud) -> None:
    port = make_port(cloud)
    operation = ask_instance(cloud, ports=(port,))[1]
    run_on(operation, altered(WORKFLOWS["instance.create"], "start", then(explode)))
    assert [each.pk for each in Port.objects.filter(instance_id=None)] == [port.pk]
    assert not cloud.fake.ports


def test_migration_takes_all_ports_along(cloud: Cloud) -> None:
    port = make_port(cloud)
    instance = make_instance(cloud, ports=(port,))
    there = cloud.world.add_machine(cloud.machine.row.zone_id)
    before = cards(cloud, instance)
    assert run_on(instance_migrate(SYSTEM, instance)).state == "succeeded"
    assert [nic.mac for nic in there.fake.guests[instance.pk].spec.nics] == before
    assert not cloud.fake.ports
    done(detach(cloud, port))
    assert set(there.fake.ports) == {Port.objects.get(instance_id=instance.pk).pk}


def test_deletion_of_the_instance_ends_an_attachment(cloud: Cloud) -> None:
    instance, port = make_instance(cloud), make_port(cloud)
    operation = attach(cloud, port, instance)
    deletion = instance_delete(cloud.tenant.actor, instance)
    assert run(operation).state == "cancelled"
    done(deletion)
    assert fresh(port).instance_id is None
    port_delete(cloud.tenant.actor, fresh(port))
    assert_clean_slate(cloud)


def test_impossible_attachments_are_refused(cloud: Cloud) -> None:
    instance, port = make_instance(cloud, networks=(cloud.network,) * 7), make_port(cloud)
    with pytest.raises(PortNotAttached):
        detach(cloud, port)
    first = attach(cloud, port, instance)
    for refused in (port, make_port(cloud, "other")):
        with pytest.raises((PortAttached, Busy)):
            attach(cloud, fresh(refused), instance)
    done(first)
    with pytest.raises(PortAttached):
        attach(cloud, fresh(port), instance)
    with pytest.raises(TooManyPorts):
        attach(cloud, Port.objects.get(name="other"), fresh(instance))
    with pytest.raises(TooManyPorts):
        ask_instance(cloud, "more", networks=(cloud.network,) * 8, ports=(Port.objects.get(name="other"),))
    Instance.objects.filter(pk=instance.pk).update(state="error")
    with pytest.raises(InstanceWrongState):
        detach(cloud, port)


def test_network_with_a_free_port_is_not_deleted(cloud: Cloud) -> None:
    tenant = cloud.tenant
    other = network_create(tenant.actor, tenant.project, name="other", cidr="10.30.0.0/24", dns_servers=[], labels={})
    port = port_create(tenant.actor, NewPort(other, "own"))
    with pytest.raises(NetworkInUse) as caught:
        network_delete(tenant.actor, other)
    assert caught.value.facts == {"count": 1, "ports": "own"}
    port_delete(tenant.actor, port)
    network_delete(tenant.actor, other)


def test_free_port_is_no_orphan(cloud: Cloud) -> None:
    port = make_port(cloud)
    Port.objects.filter(pk=port.pk).update(updated_at=clock.now() - timedelta(hours=1))
    assert list(ports_without_instance()) == []


@pytest.mark.parametrize("interrupted", ["unplug", "remove-port"])
def test_port_stays_attached_if_its_cancelled_detachment_is_refused(cloud: Cloud, interrupted: str) -> None:
    """Its guest may still have the card: the next instance with the port would share its addresses."""
    instance, port = make_instance(cloud), make_port(cloud)
    done(attach(cloud, port, instance))

    def refuse(operation: Operation) -> None:
        ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")
        cancel(cloud)(operation)
        explode(operation)

    operation = run_on(detach(cloud, port), altered(WORKFLOWS["port.detach"], interrupted, then(refuse)))
    run_next_attempt(operation)
    assert (operation.state, operation.error["code"]) == ("cancelled", "operation.cancelled")
    assert (fresh(port).instance_id, fresh(port).last_error["code"]) == (instance.pk, "policy_unsatisfiable")
    assert PortBinding.objects.get(port=port).node_id == instance.node_id
    done(instance_delete(cloud.tenant.actor, fresh(instance)))
    port_delete(cloud.tenant.actor, fresh(port))
    assert_clean_slate(cloud)
