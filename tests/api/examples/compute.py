"""Examples of instances and their resources: images, keys, networks, volumes; operations; nodes."""

from datetime import timedelta
from ipaddress import ip_network
from uuid import UUID

from django.test import override_settings

from controlplane.announcers.models import Announcer
from controlplane.announcers.services import AnnouncerReport, record_report
from controlplane.compute.migration import LIVE_MIGRATION
from controlplane.compute.models import Instance
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.metrics.tables import floor
from controlplane.nodes import incidents
from controlplane.nodes.models import Node, Orphan, Pool
from controlplane.operations.models import Operation
from controlplane.operations.selectors import STUCK_ATTEMPTS
from controlplane.reconcilers import orphans
from controlplane.storage.models import Volume
from controlplane.storage_clusters.cluster_pools import ReportedClusterPool
from controlplane.storage_clusters.models import StorageCluster
from controlplane.storage_clusters.services import ClusterReport
from controlplane.storage_clusters.services import record_report as record_cluster_report
from controlplane.workflows.force_finish import UNREACHABLE_FOR
from tests.api.examples.sample_cloud import SampleCloud
from tests.api.snapshots import ended, in_cluster, out_of_cluster, taken
from tests.services.catalog.disks import qcow2
from tests.world import follow, make_node, run

CONSOLE = (
    b"[    0.000000] Linux version 6.12.48+deb13-amd64\r\n\r\nDebian GNU/Linux 13 web-1 ttyS0\r\n\r\nweb-1 login: "
)


def choice(story: SampleCloud) -> None:
    """Show the catalogue."""
    book, ada, oscar = story.book, story.ada, story.oscar
    book.show(oscar, "volume_type_create")
    book.show(oscar, "volume_type_update", volume_type="fast")
    for operation_id in ("flavor_list", "volume_type_list", "volume_type_usable_list", "region_list"):
        book.show(ada, operation_id)
    book.show(ada, "volume_type_get", volume_type="fast")
    book.show(oscar, "volume_type_delete", volume_type="fast")
    book.show(ada, "zone_list", query={"region": "fr-idf"})
    book.show(ada, "zone_get")
    book.show(ada, "zone_capacity_get", query={"flavor": "small"})


def images(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    disk = qcow2(story.folder, content=b"boot").read_bytes()
    book.show(ada, "image_create")
    uploaded = book.show(ada, "image_upload", image="debian-13", upload=("debian-13.qcow2", disk))
    story.done(uploaded)
    book.show(ada, "image_list", query={"state": "available"})
    book.show(ada, "image_get", image="debian-13")
    book.show(ada, "image_update", image="debian-13")
    book.do(ada, "image_create", {"name": "debian-12", "format": "qcow2"})
    book.show(ada, "image_delete", image="debian-12")


def keys_and_groups(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    book.show(ada, "ssh_key_create")
    book.show(ada, "ssh_key_list")
    book.show(ada, "ssh_key_get", ssh_key="laptop")
    book.show(ada, "affinity_group_create")
    book.show(ada, "affinity_group_list")
    book.show(ada, "affinity_group_get", affinity_group="replicas")
    book.show(ada, "affinity_group_update", affinity_group="replicas")
    book.show(ada, "affinity_group_delete", affinity_group="replicas-2")


def networks(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    book.show(ada, "network_create")
    book.show(ada, "network_list")
    book.show(ada, "network_get", network="lan")
    book.do(ada, "network_create", {"name": "test", "cidr": "10.20.0.0/24"})
    book.show(ada, "network_update", network="test")
    book.show(ada, "subnet_create", network="office")
    book.show(ada, "subnet_list", network="office")
    book.show(ada, "subnet_get", network="office", subnet="backend")
    book.show(ada, "subnet_update", network="office", subnet="backend")
    book.show(ada, "subnet_delete", network="office", subnet="backend")
    book.show(ada, "network_delete", network="office")


def security_groups(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    book.show(ada, "security_group_create")
    book.show(ada, "security_group_list")
    book.show(ada, "security_group_get", security_group="web")
    book.show(ada, "security_group_update", security_group="web")
    rule = book.show(ada, "security_group_rule_create", security_group="web").body["id"]
    book.show(ada, "security_group_rule_list", security_group="web")
    book.show(ada, "security_group_rule_get", security_group="web", rule=rule)
    spare = book.do(ada, "security_group_create", {"name": "test"}).body["id"]
    other = book.do(ada, "security_group_rule_create", {"direction": "out"}, security_group="test").body["id"]
    book.show(ada, "security_group_rule_delete", security_group="test", rule=other)
    book.show(ada, "security_group_delete", security_group=spare)


def address_sets(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    book.show(ada, "address_set_create")
    book.show(ada, "address_set_list")
    book.show(ada, "address_set_get", address_set="offices")
    book.show(ada, "address_set_update", address_set="offices")
    spare = book.do(ada, "address_set_create", {"name": "test", "cidrs": []}).body["id"]
    book.show(ada, "address_set_delete", address_set=spare)


def volumes(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    story.done(book.show(ada, "volume_create"))
    book.show(ada, "volume_list", query={"state": "available"})
    book.show(ada, "volume_get", volume="data")
    story.done(book.show(ada, "volume_grow", volume="data"))
    story.done(book.show(ada, "volume_retype", volume="data"))
    snapshots(story)
    story.done(book.do(ada, "volume_create", {"name": "old", "size_gib": 5}))
    book.show(ada, "volume_update", volume="old")
    story.done(book.show(ada, "volume_delete", volume="archive"))


def snapshots(story: SampleCloud) -> None:
    """Show snapshots of a volume that is in a storage cluster as long."""
    book, ada = story.book, story.ada
    volume = Volume.objects.get(name="data")
    pool = in_cluster(volume)
    taken(book.show(ada, "snapshot_create"))
    book.show(ada, "snapshot_list", query={"volume": "data"})
    book.show(ada, "snapshot_get", snapshot="before-upgrade")
    ended(book.show(ada, "volume_revert", volume="data"))
    book.show(ada, "snapshot_update", snapshot="before-upgrade")
    ended(book.show(ada, "snapshot_delete", snapshot="release-41"))
    book.show(ada, "snapshot_schedule_create")
    book.show(ada, "snapshot_schedule_list")
    book.show(ada, "snapshot_schedule_get", snapshot_schedule="nightly")
    book.show(ada, "snapshot_schedule_update", snapshot_schedule="nightly")
    book.show(ada, "snapshot_schedule_delete", snapshot_schedule="nightly")
    out_of_cluster(volume, pool)


def instances(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    created = book.show(ada, "instance_create")
    story.done(created)
    story.machine.fake.consoles[UUID(created.body["id"])] = CONSOLE
    book.show(ada, "instance_list", query={"labels": "env=prod", "limit": 50})
    book.show(ada, "instance_get")
    book.show(ada, "security_group_of_instance_set")
    book.show(ada, "security_group_of_instance_get")
    book.show(ada, "network_topology", network="lan")
    book.show(ada, "reachability_check")
    book.show(ada, "instance_console_log", query={"max_bytes": 4096})
    metrics(story)
    book.show(ada, "instance_console_open")
    book.show(ada, "instance_tunnel_open")
    decision = book.show(ada, "instance_placement").body["id"]
    book.show(ada, "decision_get", decision=decision)
    book.show(ada, "operation_list", query={"resource": created.body["id"]})
    book.show(ada, "operation_get", operation=created.operation["id"], query={"wait": "30s"})
    for verb in ("reboot", "reset", "shutdown", "start", "power_off"):
        story.done(book.show(ada, f"instance_{verb}"))
    story.done(book.show(ada, "instance_resize"))
    story.done(book.show(ada, "instance_rebuild"))
    story.done(book.do(ada, "instance_start"))
    relocations(story)
    volume_relocations(story)
    attachments(story)
    ports(story)
    public_addresses(story)


def metrics(story: SampleCloud) -> None:
    """Show metrics of the half hour before the examples began."""
    until = floor(story.book.plain.began - timedelta(seconds=1), timedelta(minutes=5))
    since = until - timedelta(minutes=30)
    for number in range(181):
        story.machine.use(since + number * timedelta(seconds=10))
    query = {"since": since.isoformat(), "until": until.isoformat(), "resolution": "5m"}
    story.book.show(story.ada, "instance_metrics", query=query)
    port = story.book.do(story.ada, "port_list", query={"instance": "web-1"}).body["items"][0]
    story.book.show(story.ada, "port_metrics", port=port["id"], query=query)
    story.book.show(story.oscar, "node_metrics", query=query)


def ports(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    book.show(ada, "port_create")
    book.show(ada, "port_list", query={"network": "lan"})
    book.show(ada, "port_get", port="web-backend")
    book.show(ada, "port_update", port="web-backend")
    story.done(book.show(ada, "port_attach", port="web-backend"))
    story.done(book.show(ada, "port_detach", port="web-backend"))
    book.show(ada, "port_delete", port="web-backend")


def public_addresses(story: SampleCloud) -> None:
    book, ada, oscar = story.book, story.ada, story.oscar
    book.show(oscar, "address_pool_create")
    book.show(oscar, "address_pool_list", query={"zone": "fr-idf-1"})
    book.show(oscar, "address_pool_update", address_pool="public-fr")
    book.show(ada, "address_pool_usable_list")
    book.show(ada, "public_address_create")
    book.do(ada, "port_create", {"name": "web-public", "network": "lan", "addresses": [{"ip": "10.10.0.50"}]})
    story.done(book.do(ada, "port_attach", {"instance": "web-1"}, port="web-public"))
    book.show(ada, "public_address_attach", public_address="www")
    book.show(ada, "public_address_list", query={"instance": "web-1"})
    book.show(ada, "public_address_get", public_address="www")
    book.show(oscar, "address_pool_get", address_pool="public-fr")
    zone = {"origin": "113.0.203.in-addr.arpa", "name_servers": "ns1.example.net,ns2.example.net"}
    book.show(oscar, "address_pool_reverse_zone_get", address_pool="public-fr", query=zone)
    book.show(oscar, "platform_public_address_list", query={"pool": "public-fr"})
    book.show(oscar, "public_address_suspend", public_address="203.0.113.10")
    book.show(oscar, "public_address_resume", public_address="203.0.113.10")
    book.show(ada, "public_address_detach", public_address="www")
    book.show(ada, "public_address_use_list", query={"ip": "203.0.113.10"})
    book.show(oscar, "platform_public_address_use_list", query={"ip": "203.0.113.10"})
    book.show(ada, "public_address_update", public_address="www")
    book.show(ada, "public_address_delete", public_address="www")
    book.show(oscar, "address_pool_delete", address_pool="public-fr")
    story.done(book.do(ada, "port_detach", port="web-public"))
    book.do(ada, "port_delete", port="web-public")


def attachments(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    attached = story.done(book.show(ada, "attachment_create"))
    book.show(ada, "attachment_list")
    book.show(ada, "attachment_get", attachment=attached["id"])
    volume = Volume.objects.get(name="data")
    pool = in_cluster(volume)
    story.machine.report_power()
    ended(book.show(ada, "instance_snapshot"))
    out_of_cluster(volume, pool)
    story.done(book.show(ada, "attachment_delete", attachment=attached["id"]))


def ends(story: SampleCloud) -> None:
    """Delete the resources, after all examples that need web-1."""
    book, ada = story.book, story.ada
    begun = book.do(ada, "instance_reboot").operation["id"]
    book.show(ada, "operation_cancel", operation=begun)
    run(Operation.objects.get(pk=begun))
    story.done_operation(book.show(ada, "operation_retry", operation=begun).body["id"])
    book.show(ada, "instance_update")
    story.done(book.show(ada, "instance_delete", instance="web-2"))
    book.show(ada, "ssh_key_update", ssh_key="laptop")
    book.show(ada, "ssh_key_delete", ssh_key="old-laptop")


def nodes(story: SampleCloud) -> None:
    book, oscar = story.book, story.oscar
    Node.objects.update(cpu_model="EPYC-Milan")
    book.show(oscar, "node_list", query={"zone": "fr-idf-1"})
    book.show(oscar, "node_get")
    book.show(oscar, "node_cordon")
    book.show(oscar, "node_uncordon")
    incidents.report(story.machine.row, "unknown_domain", "test-vm", uuid=str(new_id()))
    book.show(oscar, "node_incident_list")
    book.show(oscar, "incident_list", query={"state": "open"})
    pool = Pool.objects.create(
        name="shared", zone=story.machine.row.zone, uuid=new_id(), path="/var/lib/pools/shared", capacity_gib=20_000
    )
    Node.objects.filter(pk=story.machine.row.pk).update(traits=[*story.machine.row.traits, "pool:shared"])
    book.show(oscar, "pool_list", query={"zone": "fr-idf-1"})
    book.show(oscar, "pool_get", pool=str(pool.pk))
    Instance.objects.filter(node=story.machine.row).update(root_pool=pool)
    Volume.objects.filter(node=story.machine.row).update(pool=pool)
    book.show(oscar, "pool_instance_list", pool=str(pool.pk))
    book.show(oscar, "pool_volume_list", pool=str(pool.pk))
    Instance.objects.update(root_pool=None)
    Volume.objects.update(pool=None)
    announcers(story)
    storage_clusters(story)
    orphan(story)
    book.show(oscar, "node_instance_list")
    succeeded = book.show(oscar, "platform_operation_list", query={"state": "succeeded", "limit": "2"}).body["items"]
    book.show(oscar, "platform_operation_get", operation=succeeded[0]["id"])
    drain(story)
    fence(story)
    stuck(story)
    maintenance(story)


def announcers(story: SampleCloud) -> None:
    book, oscar = story.book, story.oscar
    announcer = book.show(oscar, "announcer_create").body["id"]
    row = Announcer.objects.get(pk=announcer)
    record_report(row, AnnouncerReport(version=1, applied_version=1, session_count=2), None)
    book.show(oscar, "announcer_list", query={"zone": "fr-idf-1"})
    book.show(oscar, "announcer_get", announcer=announcer)
    book.show(oscar, "announcer_incident_list", announcer=announcer)
    book.show(oscar, "announcer_delete", announcer=announcer)


def storage_clusters(story: SampleCloud) -> None:
    book, oscar = story.book, story.oscar
    cluster = book.show(oscar, "storage_cluster_create").body["id"]
    pool = ReportedClusterPool("vms", 40 * 2**40, 3 * 2**40, replicas=3, is_nearly_full=False)
    report = ClusterReport(
        "degraded",
        fsid=UUID(int=7),
        monitors=("10.0.7.21:3300",),
        pools=(pool,),
        health_problems=("OSD_DOWN: 1 osds down",),
        ceph_version="18.2.7",
        software_version="0.1.0",
    )
    record_cluster_report(StorageCluster.objects.get(pk=cluster), report)
    book.show(oscar, "storage_cluster_list", query={"zone": "fr-idf-1"})
    book.show(oscar, "storage_cluster_get", cluster=cluster)
    book.show(oscar, "storage_cluster_incident_list", cluster=cluster)
    book.show(oscar, "storage_cluster_delete", cluster=cluster)


def orphan(story: SampleCloud) -> None:
    book, oscar = story.book, story.oscar
    story.machine.fake.foreign_files.append("volumes/left-behind.raw")
    orphans.reconcile()
    Orphan.objects.update(created_at=clock.now() - timedelta(minutes=10))
    orphans.reconcile()
    orphan_id = str(Orphan.objects.get(kind="file").pk)
    book.show(oscar, "orphan_list", query={"open": "true", "kind": "file"})
    book.show(oscar, "orphan_release", orphan=orphan_id)
    book.show(oscar, "orphan_discard", orphan=orphan_id)
    orphans.reconcile()
    book.show(oscar, "orphan_get", orphan=orphan_id)


def moves(story: SampleCloud) -> None:
    """Show migrations, late in the order.

    The number of permits and receipts of a migration depends on the number of status calls; and with two nodes in the
    zone each new resource may be on either.
    """
    book, oscar = story.book, story.oscar
    story.world.add_machine("fr-idf-1", name="par-2")
    instance = book.do(story.ada, "instance_get").body["id"]
    book.show(oscar, "instance_migration_plan", instance=instance)
    called_off = book.do(oscar, "instance_migrate", instance=instance).body["id"]
    book.show(oscar, "instance_migrate_cancel", instance=instance)
    assert follow(Operation.objects.get(pk=called_off)).state == "cancelled"
    begun = book.show(oscar, "instance_migrate", instance=instance).body["id"]
    assert follow(Operation.objects.get(pk=begun)).state == "succeeded"
    book.show(oscar, "instance_migration_list", instance=instance, query={"state": "done"})
    recover(story, instance)


def relocations(story: SampleCloud) -> None:
    """Show the relocation of an instance to another zone; it is cancelled, and the instance runs on where it was."""
    book, ada = story.book, story.ada
    story.done(book.do(ada, "instance_power_off"))
    machine = story.world.add_machine("fr-idf-2", name="par-9")
    book.show(ada, "instance_relocation_plan")
    begun = book.show(ada, "instance_relocate").operation["id"]
    book.do(ada, "operation_cancel", operation=begun)
    assert follow(Operation.objects.get(pk=begun)).state == "cancelled"
    Node.objects.filter(pk=machine.row.pk).update(admin_state="retired")
    story.done(book.do(ada, "instance_start"))


def volume_relocations(story: SampleCloud) -> None:
    """Show the relocation of a detached volume to another zone; it is cancelled."""
    book, ada = story.book, story.ada
    story.done(book.do(ada, "volume_create", {"name": "reports", "size_gib": 20, "zones": ["fr-idf-1"]}))
    machine = story.world.add_machine("fr-idf-2", name="par-8")
    book.show(ada, "volume_relocation_plan", volume="reports")
    begun = book.show(ada, "volume_relocate", volume="reports").operation["id"]
    book.do(ada, "operation_cancel", operation=begun)
    assert follow(Operation.objects.get(pk=begun)).state == "cancelled"
    Node.objects.filter(pk=machine.row.pk).update(admin_state="retired")
    story.done(book.do(ada, "volume_delete", volume="reports"))


def recover(story: SampleCloud, instance: str) -> None:
    """Show the recovery of the dead node to which it has migrated; the recovery is cancelled."""
    book, oscar, node = story.book, story.oscar, Node.objects.get(name="par-2")
    pool = Pool.objects.create(
        name="ssd", zone_id=node.zone_id, uuid=new_id(), path="/srv/pools/ssd", capacity_gib=4000
    )
    Instance.objects.filter(pk=instance).update(root_pool=pool)
    for each in Node.objects.filter(zone_id=node.zone_id):
        Node.objects.filter(pk=each.pk).update(traits=sorted({*each.traits, "pool:ssd"}))
    Node.objects.filter(pk=node.pk).update(state="unreachable", admin_state="fenced", fenced_by={"kind": "power"})
    plan = book.show(oscar, "node_recover_plan", node=node.name).body["digest"]
    body = {"plan": plan, "at_once": 8, "reason": "its mainboard is dead"}
    book.show(oscar, "node_recover_begin", body, node=node.name)
    book.do(oscar, "node_drain_cancel", node=node.name)
    Node.objects.filter(pk=node.pk).update(state="ready", admin_state="in-service", fenced_by=None)
    Instance.objects.filter(pk=instance).update(root_pool=None)


def drain(story: SampleCloud) -> None:
    """Show a drain of the node, which is cancelled, and the end of an empty one."""
    book, oscar = story.book, story.oscar
    other = make_node("par-3")
    for node in Node.objects.all():
        Node.objects.filter(pk=node.pk).update(traits=sorted({*node.traits, LIVE_MIGRATION}))
    plan = book.show(oscar, "node_drain_plan").body["digest"]
    body = {"plan": plan, "fallback": "leave", "at_once": 2, "reason": "its fan is to be replaced"}
    book.show(oscar, "node_drain_begin", body)
    book.show(oscar, "drain_list", query={"state": "running"})
    book.show(oscar, "node_drain_pause")
    book.show(oscar, "node_drain_get", query={"wait": "30s"})
    book.show(oscar, "node_drain_resume")
    book.show(oscar, "node_drain_retry")
    book.show(oscar, "node_drain_cancel")
    book.do(oscar, "node_uncordon")
    book.show(oscar, "node_maintain", node=other.name)
    book.show(oscar, "node_return", node=other.name)
    book.show(oscar, "node_retire", node=other.name)


def fence(story: SampleCloud) -> None:
    """Show the fencing of a node without heartbeat, whose lease ended long ago."""
    book, oscar = story.book, story.oscar
    with override_settings(BMC_NETWORKS=[ip_network("10.99.0.0/24")]):
        book.show(oscar, "node_bmc_set")
    book.show(oscar, "node_bmc_get")
    book.show(oscar, "node_bmc_delete")
    lost = make_node("par-4")
    now = clock.now()
    Node.objects.filter(pk=lost.pk).update(
        state="unreachable",
        last_heartbeat_at=now - timedelta(hours=1),
        boot_id=str(new_id()),
        leased_until=now - timedelta(minutes=59),
        fences_within_s=152,
    )
    book.show(oscar, "node_fencing_get", node=lost.name)
    book.show(oscar, "node_fence", {"evidence": "lease", "reason": "its guests are needed"}, node=lost.name)


def maintenance(story: SampleCloud) -> None:
    book = story.book
    rule = book.show(story.oscar, "maintenance_create").body["id"]
    book.show(story.ada, "maintenance_list", query={"state": "active"})
    book.show(story.ada, "maintenance_get", maintenance=rule)
    book.show(story.oscar, "maintenance_end", maintenance=rule)


def stuck(story: SampleCloud) -> None:
    """Show the deletion of a volume whose node is destroyed."""
    book, ada = story.book, story.ada
    story.done(book.do(ada, "volume_create", {"name": "lost", "size_gib": 1}))
    begun = book.do(ada, "volume_delete", volume="lost").operation["id"]
    Operation.objects.filter(pk=begun).update(state="running", attempts=STUCK_ATTEMPTS)
    Node.objects.update(state="unreachable", last_heartbeat_at=clock.now() - 2 * UNREACHABLE_FOR)
    book.show(story.oscar, "operation_resolve", operation=begun)
    assert run(Operation.objects.get(pk=begun)).state == "succeeded"
    Node.objects.update(state="ready", last_heartbeat_at=clock.now())
