"""Announcements of public addresses: which are announced behind which node, and what announcers report of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from agents.announcer.server import Config, Server, serve
from agents.node import enrol, pki
from andromede_core.documents.parsing import Malformed
from andromede_core.documents.signed import read
from andromede_core.permits import announcements as core
from andromede_core.permits.announcements import Announcements, Route
from controlplane.announcers.models import AnnouncementsDocument, Announcer, AnnouncerIncident
from controlplane.announcers.services import announcer_certify, announcer_create, announcer_delete
from controlplane.audit.models import AuditEntry
from controlplane.catalog.models import Zone
from controlplane.compute.migration import instance_migrate
from controlplane.compute.models import Instance
from controlplane.compute.public_address_attachments import AttachRequest, public_address_attach
from controlplane.compute.services import instance_delete
from controlplane.identity.actor import SYSTEM
from controlplane.network.announced_prefixes import announced_routes
from controlplane.network.models import AddressPool, Port, PortAddress, PortBinding, PublicAddress, Subnet
from controlplane.network.ports import port_release
from controlplane.network.public_addresses import (
    public_address_delete,
    public_address_detach,
    public_address_resume,
    public_address_suspend,
)
from controlplane.nodes.models import Node
from controlplane.nodes.services import node_cordon
from controlplane.reconcilers import announcements as reconciler
from controlplane.signer import announcements as signer
from controlplane.signer.tasks import announcements_requested
from tests import processes
from tests.agents.announcer.bgp_lab import answers, wait_until
from tests.workflows.helpers import done, fresh, make_instance
from tests.world import Cloud, follow, make_zone

ZONE = "fr-idf-1"
PUBLIC = "203.0.113.7"


def pool_of(cloud: Cloud, *, family: str = "ipv4", purpose: str = "addresses", **more: Any) -> AddressPool:
    return AddressPool.objects.create(
        name=f"{family}-{purpose}",
        zone_id=ZONE,
        family=family,
        purpose=purpose,
        cidrs=["203.0.113.0/24" if family == "ipv4" else "2001:db8::/48"],
        **more,
    )


def attached(cloud: Cloud, port: Port, pool: AddressPool, ip: str = PUBLIC) -> PublicAddress:
    return PublicAddress.objects.create(project=cloud.tenant.project, name=f"a{ip[-1]}", pool=pool, ip=ip, port=port)


@pytest.fixture
def port(cloud: Cloud) -> Port:
    Node.objects.update(underlay_ip="10.0.7.1")
    return Port.objects.get(instance_id=make_instance(cloud, "web").pk)


@pytest.fixture
def address(cloud: Cloud, port: Port) -> PublicAddress:
    return attached(cloud, port, pool_of(cloud, community="65001:100", local_preference=200))


def routes() -> dict[str, str]:
    """Return next hops by public address."""
    return {str(address): str(route.next_hop) for address, route in announced_routes(ZONE).items()}


def document() -> Announcements:
    row = AnnouncementsDocument.objects.get(zone=ZONE)
    result = core.parse(read(bytes(row.document)).payload)
    assert (result.version, len(result.routes)) == (row.version, row.route_count)
    return result


# ---- which addresses are announced


def test_attached_address_is_behind_its_instances_node(cloud: Cloud, address: PublicAddress) -> None:
    expected = Route(ip_address("10.0.7.1"), (65001, 100), 200)
    assert announced_routes(ZONE) == {ip_address(PUBLIC): expected}
    assert announced_routes("de-fra-1") == {}


@pytest.mark.parametrize("change", ["suspended", "detached", "fenced", "other zone", "unbound", "no instance"])
def test_address_is_withdrawn(cloud: Cloud, port: Port, address: PublicAddress, change: str) -> None:
    assert routes() == {PUBLIC: "10.0.7.1"}
    if change == "suspended":
        PublicAddress.objects.update(suspended_at=address.created_at)
    elif change == "detached":
        PublicAddress.objects.update(port=None)
    elif change == "fenced":
        Node.objects.update(admin_state="fenced", fenced_by={})
    elif change == "other zone":
        AddressPool.objects.update(zone=make_zone("de-fra-1"))
    elif change == "unbound":
        PortBinding.objects.all().delete()
    else:
        Port.objects.update(instance_id=None)
    assert routes() == {}


def test_addresses_of_a_public_range_are_announced(cloud: Cloud, port: Port) -> None:
    """A node without an IPv6 address gets no IPv6 packet."""
    pool = pool_of(cloud, family="ipv6", purpose="subnets")
    subnet = Subnet.objects.get(pk=port.addresses.get().subnet_id)
    Subnet.objects.filter(pk=subnet.pk).update(ipv6_cidr="2001:db8:0:7::/64", ipv6_pool=pool)
    PortAddress.objects.create(port=port, network_id=port.network_id, subnet=subnet, ip="2001:db8:0:7::7")
    assert routes() == {}
    Node.objects.update(ipv6_address="2001:db8:1::1")
    assert routes() == {"2001:db8:0:7::7": "2001:db8:1::1"}


def test_migration_moves_the_address(
    cloud: Cloud, port: Port, address: PublicAddress, django_capture_on_commit_callbacks: Any
) -> None:
    other = cloud.world.add_machine(ZONE).row
    Node.objects.filter(pk=other.pk).update(underlay_ip="10.0.7.2")
    signer.sign_all()
    begun = document()
    assert str(begun.routes[ip_address(PUBLIC)].next_hop) == "10.0.7.1"
    PortBinding.objects.create(port=port, node=other)  # as while the guest moves
    assert routes() == {PUBLIC: "10.0.7.1"}
    instance = Instance.objects.get(pk=port.instance_id)
    operation = instance_migrate(SYSTEM, instance)
    with django_capture_on_commit_callbacks(execute=True):
        assert follow(operation).state == "succeeded"
    assert routes() == {PUBLIC: "10.0.7.2"}
    assert str(document().routes[ip_address(PUBLIC)].next_hop) == "10.0.7.2"  # signed at once
    assert document().version > begun.version


# ---- requests of changes

Change = Callable[[PublicAddress, Port, Port], object]
# By name: what makes the address ready, unsigned, and what must have it signed.
CHANGES: dict[str, tuple[Change, Change, str | None]] = {
    "attach": (
        lambda address, port, other: public_address_detach(SYSTEM, address),
        lambda address, port, other: public_address_attach(SYSTEM, address, AttachRequest(port)),
        "10.0.7.1",
    ),
    "move": (
        lambda address, port, other: None,
        lambda address, port, other: public_address_attach(SYSTEM, address, AttachRequest(other, is_move=True)),
        "10.0.7.2",
    ),
    "detach": (
        lambda address, port, other: None,
        lambda address, port, other: public_address_detach(SYSTEM, address),
        None,
    ),
    "suspend": (
        lambda address, port, other: None,
        lambda address, port, other: public_address_suspend(SYSTEM, address, reason="abuse"),
        None,
    ),
    "resume": (
        lambda address, port, other: public_address_suspend(SYSTEM, address, reason="abuse"),
        lambda address, port, other: public_address_resume(SYSTEM, address),
        "10.0.7.1",
    ),
    "release": (
        lambda address, port, other: public_address_detach(SYSTEM, address),
        lambda address, port, other: public_address_delete(SYSTEM, address),
        None,
    ),
    "delete its instance": (
        lambda address, port, other: None,
        lambda address, port, other: done(instance_delete(SYSTEM, Instance.objects.get(pk=port.instance_id))),
        None,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_is_signed_after_the_commit(
    cloud: Cloud, port: Port, address: PublicAddress, name: str, django_capture_on_commit_callbacks: Any
) -> None:
    node_cordon(SYSTEM, cloud.machine.row, reason="full")
    other = cloud.world.add_machine(ZONE).row
    moved_to = Port.objects.get(instance_id=make_instance(cloud, "two").pk)
    Node.objects.filter(pk=other.pk).update(underlay_ip="10.0.7.2")
    before, change, next_hop = CHANGES[name]
    signer.sign_all()
    before(address, port, moved_to)
    if name in ("attach", "resume"):
        signer.sign_all()
    with django_capture_on_commit_callbacks(execute=True):
        change(address, port, moved_to)
    assert {str(ip): str(route.next_hop) for ip, route in document().routes.items()} == (
        {PUBLIC: next_hop} if next_hop else {}
    )


def test_freed_port_of_a_public_range_is_withdrawn_at_once(
    cloud: Cloud, port: Port, django_capture_on_commit_callbacks: Any
) -> None:
    pool = pool_of(cloud, family="ipv6", purpose="subnets")
    subnet = Subnet.objects.get(pk=port.addresses.get().subnet_id)
    Subnet.objects.filter(pk=subnet.pk).update(ipv6_cidr="2001:db8:0:7::/64", ipv6_pool=pool)
    PortAddress.objects.create(port=port, network_id=port.network_id, subnet=subnet, ip="2001:db8:0:7::7")
    Node.objects.update(ipv6_address="2001:db8:1::1")
    signer.sign_all()
    assert len(document().routes) == 1
    with django_capture_on_commit_callbacks(execute=True):
        port_release(port)
    assert document().routes == {}


# ---- the signed document


@pytest.mark.usefixtures("address")
def test_zone_that_cannot_be_signed_does_not_stop_the_others(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    bad = AddressPool.objects.create(
        name="bad",
        zone=make_zone("aa-first-1"),
        family="ipv4",
        purpose="addresses",
        cidrs=["198.51.100.0/24"],
        community="70000:1",
    )
    AddressPool.objects.filter(zone=ZONE).update(community="65001:100")
    row = PublicAddress.objects.get()
    Node.objects.update(zone="aa-first-1")
    PublicAddress.objects.create(project=row.project, name="bad", pool=bad, ip="198.51.100.1", port=row.port)
    with pytest.raises(Malformed, match="community"):
        announced_routes("aa-first-1")
    assert signer.sign_all() == 1
    assert document().zone == ZONE
    assert "announcements of aa-first-1 not signed: community" in caplog.text
    caplog.clear()
    announcements_requested("aa-first-1")
    assert "announcements of aa-first-1 not signed: community" in caplog.text


def test_only_a_change_is_signed(cloud: Cloud, address: PublicAddress) -> None:
    assert signer.sign_all() == 1
    assert signer.sign_all() == 0
    before = document()
    AnnouncementsDocument.objects.update(key_id="")
    assert signer.sign_all() == 1
    after = document()
    assert after.version > before.version
    assert after.routes == before.routes


def test_last_address_leaves_an_empty_document(cloud: Cloud, address: PublicAddress) -> None:
    signer.sign_all()
    address.delete()
    assert signer.sign_all() == 1
    assert document().routes == {}


# ---- announcers


class Machine:
    """The machine of an announcer, with a BIRD that has no neighbours."""

    def __init__(self, folder: Path, name: str = "announcer-1") -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.row = announcer_create(SYSTEM, name=name, zone=Zone.objects.get(pk=ZONE), address="127.0.0.1:1")
        self.server: Server | None = None

    def enrol(self, pki: Path) -> None:
        request = enrol.request(self.folder, self.row.name).encode()
        certificate = announcer_certify(SYSTEM, self.row, request_pem=request)
        ca, root = (pki / "ca.crt").read_bytes(), (pki / "root.pub").read_bytes()
        enrol.install(self.folder, certificate=certificate.encode(), ca=ca, root=root, kind="announcer")

    @contextmanager
    def serving(self) -> Iterator[Server]:
        server = serve(Config(self.folder, "127.0.0.1:0", self.folder / "routes.conf", self.folder / "bird.ctl"))
        Announcer.objects.filter(pk=self.row.pk).update(address=f"127.0.0.1:{server.port}")
        try:
            yield server
        finally:
            server.stop(0)

    @contextmanager
    def bird(self) -> Iterator[None]:
        config, control = self.folder / "bird.conf", self.folder / "bird.ctl"
        config.write_text(f'router id 10.0.7.11;\nprotocol device {{}}\ninclude "{self.folder}/routes.conf";\n')
        command = ["bird", "-f", "-c", config, "-s", control, "-P", self.folder / "bird.pid"]
        with processes.running(command, env=os.environ | {"PATH": "/usr/sbin:/usr/bin"}):
            wait_until(lambda: answers(control), "BIRD's answer")
            yield

    def reported(self) -> Announcer:
        return fresh(self.row)

    def incidents(self) -> list[tuple[str, bool]]:
        """Kinds, and whether they are open."""
        rows = AnnouncerIncident.objects.filter(announcer=self.row).order_by("created_at")
        return [(row.kind, row.ended_at is None) for row in rows]


def test_node_without_a_reachable_address_gets_no_packets(address: PublicAddress) -> None:
    """The announcer would refuse the whole document."""
    Node.objects.update(underlay_ip=None)  # the agent's address is on loopback
    assert routes() == {}


@pytest.fixture
def machine(cloud: Cloud, tmp_path: Path, settings: Settings) -> Machine:
    settings.AGENT_TIMEOUT_S = 5
    created = Machine(tmp_path)
    created.enrol(settings.PKI_DIR)
    return created


def test_announcer_gets_the_newest_document(cloud: Cloud, machine: Machine, address: PublicAddress) -> None:
    signer.sign_all()
    with machine.serving(), machine.bird():
        assert reconciler.reconcile() == 1
        row = machine.reported()
        assert (row.version, row.applied_version, row.route_count) == (document().version, document().version, 1)
        assert (row.problem, row.session_count) == ("no-session", 0)
        assert row.keyset_version == 1
        PublicAddress.objects.update(suspended_at=address.created_at)
        signer.sign_all()
        reconciler.reconcile()
        row = machine.reported()
        assert (row.applied_version, row.route_count) == (document().version, 0)


def test_problem_is_an_incident_while_it_lasts(cloud: Cloud, machine: Machine, address: PublicAddress) -> None:
    signer.sign_all()
    with machine.serving():
        reconciler.reconcile()
        assert machine.reported().problem == "bird-silent"
        with machine.bird():
            reconciler.reconcile()
            reconciler.reconcile()
    assert machine.incidents() == [("bird-silent", False), ("no-session", True)]
    verbs = AuditEntry.objects.filter(resource_id=machine.row.pk).values_list("verb", flat=True)
    assert "incident.announcer-bird-silent" in verbs


def test_silent_announcer_is_an_incident_after_a_while(cloud: Cloud, machine: Machine) -> None:
    assert reconciler.reconcile() == 0
    assert machine.incidents() == []
    Announcer.objects.update(created_at=machine.row.created_at - timedelta(minutes=1))
    assert reconciler.reconcile() == 0
    assert machine.incidents() == [("silent", True)]


def test_silent_announcer_delays_no_other(cloud: Cloud, machine: Machine, tmp_path: Path, settings: Settings) -> None:
    second = Machine(tmp_path, "announcer-2")
    second.enrol(settings.PKI_DIR)
    signer.sign_all()
    with second.serving(), second.bird():
        assert reconciler.reconcile() == 1
    assert second.reported().version == document().version
    assert machine.reported().version == 0


def test_announcer_ahead_of_a_restored_database_gets_a_document_signed_anew(
    cloud: Cloud, machine: Machine, address: PublicAddress
) -> None:
    signer.sign_all()
    with machine.serving(), machine.bird():
        reconciler.reconcile()
        later = document().version
        AnnouncementsDocument.objects.update(version=later - 100)
        reconciler.reconcile()
        assert machine.reported().problem == "behind"
        AnnouncementsDocument.objects.update(version=later)
        assert signer.sign_all() == 1
        reconciler.reconcile()
        assert machine.reported().applied_version == document().version > later


def test_announcer_without_a_certificate_is_not_called(cloud: Cloud, tmp_path: Path) -> None:
    Machine(tmp_path)
    assert reconciler.reconcile() == 0


def test_deleted_announcer_takes_its_incidents_along(cloud: Cloud, machine: Machine) -> None:
    Announcer.objects.update(created_at=machine.row.created_at - timedelta(minutes=1))
    reconciler.reconcile()
    announcer_delete(SYSTEM, machine.reported())
    assert not AnnouncerIncident.objects.exists()


def test_command_creates_and_certifies(cloud: Cloud, tmp_path: Path) -> None:
    request, out = tmp_path / "announcer.csr", tmp_path / "announcer.crt"
    request.write_text(enrol.request(tmp_path / "state", "announcer-7"))
    of = ["announcer-7", "--csr", str(request), "--out", str(out)]
    with pytest.raises(CommandError, match="no announcer 'announcer-7'"):
        call_command("certify_announcer", *of)
    call_command("certify_announcer", *of, "--zone", ZONE, "--address", "10.0.7.11:7445")
    row = Announcer.objects.get(name="announcer-7")
    first, identity = row.certificate_sha256, pki.identity(out.read_bytes(), kind=pki.ANNOUNCER)
    assert (identity.node_id, identity.zone) == (row.pk, ZONE)
    call_command("certify_announcer", *of)  # a renewal
    assert fresh(row).certificate_sha256 != first
    with pytest.raises(ValueError, match="names no node"):
        pki.identity(out.read_bytes())


def test_ipv6_address_of_a_node_is_set_with_its_underlay(cloud: Cloud) -> None:
    name = cloud.machine.row.name
    call_command("set_underlay", name, "10.0.7.1", "--ipv6", "2001:db8:1::1")
    row = fresh(cloud.machine.row)
    assert (row.underlay_ip, row.ipv6_address) == ("10.0.7.1", "2001:db8:1::1")
    call_command("set_underlay", name, "10.0.7.1")
    assert fresh(row).ipv6_address is None
    with pytest.raises(CommandError, match="not an IPv6 address"):
        call_command("set_underlay", name, "10.0.7.1", "--ipv6", "10.0.7.1")
