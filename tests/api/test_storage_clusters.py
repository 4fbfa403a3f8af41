"""Routes of storage clusters, and what routes of pools say of theirs."""

from datetime import UTC, datetime

from controlplane.kernel.ids import new_id
from controlplane.nodes.models import RBD, Node, Pool
from controlplane.storage_clusters.cluster_pools import ReportedClusterPool
from controlplane.storage_clusters.models import StorageCluster
from controlplane.storage_clusters.services import ClusterReport, record_report
from tests.api.client import Caller
from tests.storage_agent import FSID
from tests.world import Cloud, make_zone

NEW = {"name": "ceph-1", "zone": "fr-idf-1", "address": "10.0.7.21:7447"}


def reported(cluster_id: str) -> Pool:
    trash = {"trash_count": 2, "trash_since": datetime(2026, 5, 1, 12, tzinfo=UTC)}
    pool = ReportedClusterPool("vms", 100 * 2**30, 3 * 2**30, replicas=3, is_nearly_full=True, **trash)
    row = StorageCluster.objects.get(pk=cluster_id)
    record_report(row, ClusterReport("ok", fsid=FSID, pools=(pool,), ceph_version="18.2.7"))
    return Pool.objects.get(engine=RBD)


def test_operator_adds_and_removes_a_storage_cluster(cloud: Cloud, operator: Caller) -> None:
    created = operator.post("/v1/storage-clusters", NEW)
    assert created.status == 201
    assert {name: created.body[name] for name in NEW} == NEW
    assert (created.body["health"], created.body["problem"], created.body["pools"]) == ("", "", [])
    assert operator.get("/v1/storage-clusters/ceph-1").body == created.body
    assert [each["id"] for each in operator.get("/v1/storage-clusters").body["items"]] == [created.body["id"]]
    reported(created.body["id"])
    assert operator.delete("/v1/storage-clusters/ceph-1").status == 204
    assert operator.get(f"/v1/storage-clusters/{created.body['id']}").body["code"] == "storage_cluster.not_found"
    assert not Pool.objects.exists()


def test_refused_bodies(cloud: Cloud, operator: Caller) -> None:
    for address in ("10.0.7.21", ":7447", "10.0.7.21:0", "10.0.7.21:99999", "10.0.7.21:x"):
        refused = operator.post("/v1/storage-clusters", NEW | {"address": address})
        assert refused.problem == (400, "storage_cluster.address_invalid", "/address")
    refused = operator.post("/v1/storage-clusters", NEW | {"zone": "nowhere"})
    assert refused.problem == (422, "catalog.zone.not_found", "/zone")
    operator.post("/v1/storage-clusters", NEW)
    assert operator.post("/v1/storage-clusters", NEW).problem == (409, "storage_cluster.name_taken", "/name")


def test_report_is_shown_with_pools_and_nodes(cloud: Cloud, operator: Caller) -> None:
    cloud.fake.more_traits = (*cloud.fake.more_traits, "rbd")
    cloud.machine.heartbeat()
    cluster = operator.post("/v1/storage-clusters", NEW).body["id"]
    pool = reported(cluster)
    shown = operator.get("/v1/storage-clusters/ceph-1").body
    assert (shown["health"], shown["problem"], shown["fsid"]) == ("ok", "nearly-full", str(FSID))
    assert [each["name"] for each in shown["nodes"]] == [cloud.machine.row.name]
    amounts = {"capacity_gib": 100, "used_gib": 0, "written_gib": 3, "replicas": 3, "is_nearly_full": True}
    amounts |= {"trash_count": 2, "trash_since": "2026-05-01T12:00:00Z"}
    assert shown["pools"] == [{"id": str(pool.pk), "name": "vms", **amounts}]
    of_pool = operator.get(f"/v1/pools/{pool.pk}").body
    assert (of_pool["engine"], of_pool["cluster"]) == ("rbd", {"id": cluster, "name": "ceph-1"})
    assert {name: of_pool[name] for name in amounts} == amounts
    assert [each["name"] for each in of_pool["nodes"]] == [cloud.machine.row.name]
    incidents = operator.get("/v1/storage-clusters/ceph-1/incidents?kind=nearly-full").body["items"]
    assert [(each["kind"], each["ended_at"]) for each in incidents] == [("nearly-full", None)]


def test_pools_are_listed_by_engine(cloud: Cloud, operator: Caller) -> None:
    zone = Node.objects.get().zone
    Pool.objects.create(name="shared", zone=zone, uuid=FSID, path="/srv/shared", capacity_gib=100, used_gib=96)
    reported(operator.post("/v1/storage-clusters", NEW).body["id"])
    names = {engine: operator.get(f"/v1/pools?engine={engine}").body["items"] for engine in ("folder", "rbd")}
    assert {engine: [each["name"] for each in items] for engine, items in names.items()} == {
        "folder": ["shared"],
        "rbd": ["vms"],
    }
    folder = names["folder"][0]
    assert (folder["is_nearly_full"], folder["cluster"], folder["written_gib"]) == (True, None, None)
    assert (folder["trash_count"], folder["trash_since"]) == (None, None)


def test_type_shows_the_zones_and_replicas_of_its_pool(cloud: Cloud, operator: Caller, api: Caller) -> None:
    facts = "zones", "replicas", "has_snapshots"
    new = {"id": "safe", "description": "Three copies", "pool": "vms"}
    created = operator.post("/v1/volume-types", new).body
    assert [created[fact] for fact in facts] == [[], None, False]
    pool = reported(operator.post("/v1/storage-clusters", NEW).body["id"])
    StorageCluster.objects.update(capabilities=["snapshots"])
    usable = {each["id"]: each for each in api.get("volume-types").body["items"]}
    assert [usable["safe"][fact] for fact in facts] == [["fr-idf-1"], 3, True]
    assert [usable["local"][fact] for fact in facts] == [None, None, False]
    Pool.objects.create(name="vms", zone=make_zone("fr-idf-2"), uuid=new_id(), path="/srv/vms", capacity_gib=100)
    assert [api.get("/v1/volume-types/safe").body[fact] for fact in facts] == [["fr-idf-1", "fr-idf-2"], None, True]
    Pool.objects.filter(pk=pool.pk).update(replicas=2)
    Pool.objects.filter(zone="fr-idf-2").update(replicas=3)
    assert api.get("/v1/volume-types/safe").body["replicas"] == 2
