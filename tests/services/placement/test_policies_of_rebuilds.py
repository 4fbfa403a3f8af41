"""A rebuild skips no check (CVE-2017-16239) and claims no capacity (CVE-2017-17051)."""

import pytest
from django.db.models import F

from controlplane.catalog.models import Image
from controlplane.compute.attachments import volume_attach
from controlplane.compute.models import Instance
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.identity.actor import SYSTEM
from controlplane.nodes.models import Inventory
from controlplane.nodes.services import node_cordon
from controlplane.operations.models import Operation
from controlplane.placement import lineage
from controlplane.placement.errors import PolicyUnsatisfiable
from controlplane.placement.lineage import NewData
from controlplane.placement.models import Allocation, Binding, Lineage
from controlplane.workflows import instance_rebuild as rebuild_workflow
from tests.facts import state_of
from tests.services.policies import (
    HOME,
    SNC,
    classify,
    codes,
    in_zones,
    latest,
    made_instance,
    made_volume,
    private_image,
    ruled,
)
from tests.workflows.helpers import done, fresh
from tests.world import Cloud, make_image, run


def rebuild(cloud: Cloud, instance: Instance, image: Image) -> Operation:
    return instance_rebuild(cloud.tenant.actor, fresh(instance), NewDisk(image))


def test_rebuild_from_an_image_inadmissible_in_the_zone_is_refused(known: Cloud) -> None:
    """The instance may be here, the image may not."""
    secret = classify("secret", in_zones("de-rhein-1"), known.tenant.project).pk
    instance, image = made_instance(known), private_image(known, known.tenant, secret)
    disks = dict(known.fake.volumes)
    with pytest.raises(PolicyUnsatisfiable) as caught:
        rebuild(known, instance, image)
    assert codes(caught, HOME) == {"ATTR_MISMATCH"}
    assert (known.fake.volumes, Binding.objects.get(pk=instance.pk).classifications) == (disks, [])
    assert not Operation.objects.filter(kind="instance.rebuild").exists()


@pytest.mark.parametrize("which", ["the same", "another"])
def test_rebuild_in_a_zone_without_its_certificate_is_refused(known: Cloud, which: str) -> None:
    name = classify("mine", [SNC], known.tenant.project).pk
    instance = made_instance(known, classifications=(name,))
    image = known.image if which == "the same" else make_image(known.world.folder / "images", name="other")
    state_of("zone", HOME, {"certifications": []})
    with pytest.raises(PolicyUnsatisfiable) as caught:
        rebuild(known, instance, image)
    assert codes(caught, HOME) == {"CERT_MISSING"}


def test_rebuild_from_a_classified_image_needs_a_cleared_node(cloud: Cloud) -> None:
    """Neither on one that its charter does not clear, nor on one that has not attested itself."""
    secret = classify("secret", [], cloud.tenant.project).pk
    instance, image = made_instance(cloud), private_image(cloud, cloud.tenant, secret)
    cloud.world.charter(cloud.machine.row, "public")
    cloud.machine.heartbeat()
    with pytest.raises(PolicyUnsatisfiable):
        rebuild(cloud, instance, image)
    cloud.world.charter(cloud.machine.row)
    cloud.machine.heartbeat()
    cloud.machine.row.is_attested = False
    cloud.machine.row.save(update_fields=["is_attested"])
    with pytest.raises(PolicyUnsatisfiable):
        rebuild(cloud, instance, image)
    assert len(cloud.fake.volumes) == 1


def test_signer_derives_the_classifications_of_the_image(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that leaves the image out of its question gets no permit for a node that is not cleared."""
    secret = classify("secret", [], cloud.tenant.project).pk
    instance, image = made_instance(cloud), private_image(cloud, cloud.tenant, secret)
    operation = rebuild(cloud, instance, image)
    cloud.world.charter(cloud.machine.row, "public")
    cloud.machine.heartbeat()
    monkeypatch.setattr(rebuild_workflow, "image_sources", lambda image: ())
    assert run(operation).state == "failed"
    assert operation.error["code"] in ("permit.node_not_cleared", "policy_unsatisfiable")
    assert len(cloud.fake.volumes) == 1


def test_rebuild_is_checked_by_the_worker_too(cloud: Cloud) -> None:
    instance = made_instance(cloud)
    starts = cloud.fake.guests[instance.pk].starts
    operation = rebuild(cloud, instance, cloud.image)
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")
    assert run(operation).state == "failed"
    assert operation.error["code"] == "policy_unsatisfiable"
    assert (len(cloud.fake.volumes), cloud.fake.guests[instance.pk].starts) == (1, starts)
    assert fresh(instance).state == "active"


def test_rebuild_claims_no_capacity_and_needs_no_open_node(cloud: Cloud) -> None:
    instance = made_instance(cloud)
    Inventory.objects.update(
        disk_gib_reserved=F("disk_gib_total") - F("disk_gib_used"),
        memory_mib_reserved=F("memory_mib_total") - F("memory_mib_used"),
    )
    node_cordon(SYSTEM, cloud.machine.row, reason="repair")
    done(rebuild(cloud, instance, cloud.image))
    assert Allocation.objects.get(consumer_id=instance.pk).disk_gib == instance.disk_gib


def test_rebuild_adds_the_classifications_of_the_image(cloud: Cloud) -> None:
    """Nor is a volume that is in the instance a way out for the image's data."""
    first, second = (classify(name, in_zones(HOME), cloud.tenant.project).pk for name in ("first", "second"))
    instance = made_instance(cloud, image=private_image(cloud, cloud.tenant, first))
    volume = made_volume(cloud)
    done(volume_attach(cloud.tenant.actor, instance, volume=volume, is_read_only=False)[1])
    image = make_image(cloud.world.folder / "images", name="theirs", project=cloud.tenant.project)
    lineage.record_data(NewData(image.pk, "image", cloud.tenant.project, (second,)))
    done(rebuild(cloud, instance, image))
    for resource in (instance, volume):
        assert Binding.objects.get(pk=resource.pk).classifications == [first, second]
    assert Lineage.objects.filter(resource_id=instance.pk, source_id=image.pk).exists()
    done(rebuild(cloud, instance, cloud.image))
    assert Binding.objects.get(pk=instance.pk).classifications == [first, second]
    assert latest(instance.pk).classifications == [first, second]
