"""Copies of private images in node caches are checked for drift like allocated resources."""

import json

import pytest

from controlplane.audit.models import EvidenceRecord
from controlplane.catalog.models import Image
from controlplane.compliance.models import Compliance, ImageCopy, RemediationPlan
from controlplane.compliance.plans import plan_approve
from controlplane.compliance.sweep import sweep_if_due
from controlplane.placement.policies import policy_set
from controlplane.reconcilers import compliance_drift, image_files
from controlplane.storage.models import Volume
from tests.services.policies import HOME, in_zones
from tests.workflows.helpers import delete_volume, done, make_volume
from tests.world import Cloud, make_image

pytestmark = pytest.mark.django_db


@pytest.fixture
def image(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A node has it, since a disk was made from it."""
    Image.objects.all().delete()
    image = make_image(cloud.world.folder / "images", name="own", project=cloud.tenant.project)
    make_volume(cloud, image=image)
    image_files.reconcile()
    compliance_drift.reconcile()
    return image


def tighten(cloud: Cloud) -> None:
    elsewhere = [{**in_zones("fr-idf-2")[0], "roles": ["image"]}]
    policy_set(cloud.tenant.actor, clauses=elsewhere, project=cloud.tenant.project)


def test_inadmissible_image_copy_is_flagged_and_planned_for(cloud: Cloud, image: Image) -> None:
    copy = ImageCopy.objects.get()
    assert (copy.resource_id, copy.node_id, copy.zone, copy.state) == (
        image.pk,
        cloud.machine.row.pk,
        HOME,
        "compliant",
    )
    tighten(cloud)
    compliance_drift.reconcile()
    copy.refresh_from_db()
    assert (copy.state, [clause["atom"] for clause in copy.failing]) == ("drifted", ["home"])
    plan = RemediationPlan.objects.get()
    (item,) = [item for item in plan.items if item["kind"] == "image"]
    assert (item["resource_id"], item["zone"], item["targets"]) == (str(image.pk), HOME, [])
    plan_approve(cloud.tenant.actor, plan)
    assert ImageCopy.objects.get().state == "remediating"


def test_removed_image_copy_is_recorded_and_forgotten(cloud: Cloud, image: Image) -> None:
    tighten(cloud)
    compliance_drift.reconcile()
    Image.objects.update(state="deleted")
    done(delete_volume(cloud, Volume.objects.get()))
    image_files.reconcile()
    assert not ImageCopy.objects.exists()
    records = EvidenceRecord.objects.filter(kind="drift", resource_id=image.pk).order_by("created_at")
    documents = [json.loads(text or "")["document"] for text in records.values_list("document", flat=True)]
    assert [(each["was"], each["state"]) for each in documents] == [("compliant", "drifted"), ("drifted", "evicted")]


def test_a_new_copy_makes_a_sweep_due(cloud: Cloud, image: Image) -> None:
    assert sweep_if_due() is None
    ImageCopy.objects.all().delete()
    assert sweep_if_due() is not None
    image_files.reconcile()
    assert sweep_if_due() is not None
    image_files.reconcile()
    assert sweep_if_due() is None, "it is no news"


def test_bytes_shared_with_a_public_image_are_not_tracked(cloud: Cloud, image: Image) -> None:
    make_image(cloud.world.folder / "images", name="same")
    image_files.reconcile()
    assert not ImageCopy.objects.exists()
    assert Compliance.objects.exists()
