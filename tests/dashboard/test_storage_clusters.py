"""The pages of storage clusters, and the pages of their pools."""

from django.test import Client

from controlplane.catalog.models import Zone
from controlplane.kernel import clock
from controlplane.nodes.models import RBD, Pool
from controlplane.storage_clusters.cluster_pools import ReportedClusterPool
from controlplane.storage_clusters.models import StorageCluster
from controlplane.storage_clusters.services import ClusterReport, record_report
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import text_of
from tests.storage_agent import FSID
from tests.world import Cloud

URL = "/platform/storage-clusters"


def cluster(name: str = "ceph-1", **fields: object) -> StorageCluster:
    values = {"zone": Zone.objects.get(pk="fr-idf-1"), "address": "10.0.7.21:7447", **fields}
    return StorageCluster.objects.create(name=name, **values)


def test_empty_list_explains_creation(signed_in: SignIn, cloud: Cloud) -> None:
    operator = signed_in("operator")
    page = operator.get(URL)
    assert "No storage clusters yet" in text_of(page) and b"andromede storage-cluster create" in page.content
    assert "No storage cluster in this zone" in text_of(operator.get(f"{URL}?zone=fr-idf-1"))
    assert operator.get(f"{URL}/nothing").status_code == 404


def test_pages_are_for_platform_roles(signed_in: SignIn, member: Client, cloud: Cloud) -> None:
    cluster()
    support = signed_in("support")
    for url in (URL, f"{URL}/ceph-1"):
        assert support.get(url).status_code == 200
        assert member.get(url).status_code == 403
    assert f'href="{URL}"'.encode() not in member.get("/").content


def test_pages_show_the_report(signed_in: SignIn, cloud: Cloud) -> None:
    cloud.fake.more_traits = (*cloud.fake.more_traits, "rbd")
    cloud.machine.heartbeat()
    row = cluster(certificate_expires_at=clock.now())
    cluster("fresh")
    trash = {"trash_count": 2, "trash_since": clock.now()}
    pool = ReportedClusterPool("vms", 100 * 2**30, 3 * 2**30, replicas=3, is_nearly_full=True, **trash)
    report = ClusterReport("degraded", fsid=FSID, pools=(pool,), health_problems=("OSD_DOWN: 1 osds down",))
    record_report(row, report)
    operator = signed_in("operator")
    everywhere = text_of(operator.get(URL))
    assert "degraded" in everywhere and "without certificate" in everywhere and "vms" in everywhere
    page = operator.get(f"{URL}/ceph-1")
    text = text_of(page)
    assert "2 removed volumes, the oldest since" in text
    assert "OSD_DOWN: 1 osds down" in text and "nearly full" in text and str(FSID) in text
    assert f'href="/platform/nodes/{cloud.machine.row.name}"'.encode() in page.content
    of_pool = operator.get(f"/platform/pools/{Pool.objects.get(engine=RBD).pk}")
    assert "2 removed volumes, the oldest since" in text_of(of_pool)
    assert "Ceph RBD" in text_of(of_pool) and f'href="{URL}/ceph-1"'.encode() in of_pool.content
    assert "takes no new disks" in text_of(of_pool) and "Ceph RBD" in text_of(operator.get("/platform/pools"))
