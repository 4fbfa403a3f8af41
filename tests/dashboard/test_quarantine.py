"""Pages of orphans: the list, one orphan, its deletion and its release."""

import pytest
from django.test import Client

from controlplane.catalog.models import Zone
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.nodes.models import RBD, Orphan, Pool
from controlplane.reconcilers import orphans
from controlplane.storage_clusters.models import StorageCluster
from tests.cases import in_one_cloud
from tests.dashboard.conftest import SignIn
from tests.dashboard.sample_resources import text_of
from tests.world import Cloud

LIST = "/platform/quarantine"
UNMANAGED_FILE = "volumes/left-behind.raw"


@pytest.fixture
def operator(signed_in: SignIn) -> Client:
    return signed_in("operator")


@pytest.fixture
def page(cloud: Cloud) -> str:
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    return f"{LIST}/{Orphan.objects.get().pk}"


def test_empty_quarantine_is_explained(operator: Client, cloud: Cloud) -> None:
    assert "No orphaned resources" in text_of(operator.get(LIST))
    assert "orphaned resource" not in text_of(operator.get("/platform/nodes/node-1"))
    cloud.fake.foreign_files.append(UNMANAGED_FILE)
    orphans.reconcile()
    text = text_of(operator.get(LIST))
    assert UNMANAGED_FILE in text and "4.0 KB" in text
    assert "1 orphaned resource found." in text_of(operator.get("/platform/nodes/node-1"))
    assert f'href="{LIST}?node=node-1"' in operator.get("/platform/nodes/node-1").content.decode()
    assert f'href="{LIST}"' in operator.get("/platform/incidents").content.decode()


@in_one_cloud(
    ("query", "is_there"),
    [("", True), ("state=any", True), ("state=found&kind=file", True), ("state=gone", False), ("kind=domain", False)],
)
def test_orphans_are_filtered(operator: Client, page: str, query: str, is_there: bool) -> None:
    assert (UNMANAGED_FILE in text_of(operator.get(f"{LIST}?{query}"))) is is_there
    assert ("No orphaned resource matches the filters" in text_of(operator.get(f"{LIST}?{query}"))) is not is_there


def test_orphan_is_discarded_after_its_name_is_typed(operator: Client, page: str) -> None:
    wrong = operator.post(f"{page}/discard", {"name": "volumes/another", "reason": "left behind"})
    assert "The name does not match." in text_of(wrong)
    assert Orphan.objects.get().requested_action == ""
    done = operator.post(f"{page}/discard", {"name": UNMANAGED_FILE, "reason": "left behind"})
    assert done["Location"] == page
    shown = text_of(operator.get(page))
    assert "Deletion is pending until the node or storage cluster is reachable." in shown and "left behind" in shown
    orphans.reconcile()
    shown = operator.get(page)
    assert "Deleted by an operator." in text_of(shown)
    assert b"/discard" not in shown.content


def test_orphan_is_released_with_a_reason(operator: Client, page: str) -> None:
    assert operator.post(f"{page}/release", {"reason": "it is ours"})["Location"] == page
    orphans.reconcile()
    shown = operator.get(page)
    assert "Released by an operator." in text_of(shown)
    assert b"/release" not in shown.content
    assert b"/discard" in shown.content


def test_blocker_of_an_orphan_is_shown(operator: Client, page: str) -> None:
    Orphan.objects.update(problem="It is open in a guest.")
    assert "Blocked by: It is open in a guest." in text_of(operator.get(page))
    assert "It is open in a guest." in text_of(operator.get(LIST))


def test_support_reads_orphans_and_changes_nothing(signed_in: SignIn, page: str) -> None:
    support = signed_in("support")
    shown = support.get(page).content.decode()
    assert UNMANAGED_FILE in shown
    assert f'href="{page}/discard"' not in shown
    support.post(f"{page}/discard", {"name": UNMANAGED_FILE, "reason": "x"})
    assert Orphan.objects.get().requested_action == ""


@pytest.fixture
def foreign(cloud: Cloud) -> Orphan:
    """Return an image in a storage cluster that is not the platform's."""
    zone = Zone.objects.get(pk="fr-idf-1")
    cluster = StorageCluster.objects.create(name="ceph-1", zone=zone, address="10.0.7.21:7447")
    pool = Pool.objects.create(uuid=new_id(), name="rbd", zone=zone, engine=RBD, cluster=cluster)
    return Orphan.objects.create(kind="volume", name="backup", pool=pool, state="found", observed_at=clock.now())


def test_discard_is_not_offered_for_a_foreign_image(operator: Client, foreign: Orphan) -> None:
    page = f"{LIST}/{foreign.pk}"
    shown = operator.get(page)
    assert f"{page}/discard".encode() not in shown.content and f"{page}/release".encode() in shown.content
    assert "remove it with the command rbd, or release the orphan" in text_of(shown)
    Orphan.objects.update(resource_id=foreign.pk)
    assert f"{page}/discard".encode() in operator.get(page).content


def test_orphans_are_filtered_by_storage_cluster(operator: Client, page: str, foreign: Orphan) -> None:
    every = text_of(operator.get(LIST))
    assert UNMANAGED_FILE in every and "in a storage cluster they stay unchanged" in every
    of_cluster = operator.get(f"{LIST}?storage_cluster=ceph-1")
    assert "backup" in text_of(of_cluster) and UNMANAGED_FILE not in text_of(of_cluster)
    assert b"<option selected>ceph-1</option>" in of_cluster.content
