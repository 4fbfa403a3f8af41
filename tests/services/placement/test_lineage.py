"""Lineage of data: classifications and policies follow it to every copy, and into every memory."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from agents.node.errors import HypervisorUnavailable
from controlplane.catalog.services import NewImage
from controlplane.compliance.models import Compliance, RemediationPlan
from controlplane.compute import services as compute
from controlplane.compute.attachments import inherit_classifications, volume_attach, volume_detach
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_placement_request
from controlplane.identity.actor import SYSTEM
from controlplane.identity.models import Project
from controlplane.kernel.ids import new_id
from controlplane.nodes.services import node_cordon
from controlplane.operations.models import Operation
from controlplane.operations.services import operation_cancel
from controlplane.placement import classifications, effective_policies, images, lineage, policies, proposals
from controlplane.placement import services as placement
from controlplane.placement.effective_policies import DataSource, PolicySubject
from controlplane.placement.errors import (
    ClassificationNotFound,
    PolicyOverflows,
    PolicyUnsatisfiable,
    TooManyClauses,
)
from controlplane.placement.models import (
    Allocation,
    Binding,
    Lineage,
    Permit,
    PolicyDocument,
    PolicyProposal,
    PolicyVersion,
)
from controlplane.reconcilers import compliance_drift
from controlplane.storage import services as storage
from controlplane.storage.models import Volume
from tests.services.policies import (
    EU,
    HOME,
    LAX,
    SNC,
    add_machine,
    classify,
    codes,
    in_zones,
    latest,
    made_instance,
    made_volume,
    new_instance,
    new_volume,
    officer,
    private_image,
    ruled,
)
from tests.workflows.helpers import done, fresh
from tests.world import Cloud, make_node, make_tenant, run, run_next_attempt

# ---- attach: both sides, and what sticks


def attach(cloud: Cloud, instance: Instance, volume: Volume, **more: Any) -> tuple[Attachment, Operation]:
    return volume_attach(cloud.tenant.actor, instance, volume=volume, **{"is_read_only": False, **more})


def test_instance_cannot_attach_a_volume_inadmissible_in_its_zone(known: Cloud) -> None:
    """The classification of the volume demands a qualification that the zone lacks."""
    machine = add_machine(known, LAX)
    node_cordon(SYSTEM, known.machine.row, reason="so that all is made there")
    secret = classify("snc", [], known.tenant.project)
    instance, volume = made_instance(known), made_volume(known, classifications=(secret.pk,))
    assert volume.node_id == instance.node_id == machine.row.pk
    policies.policy_set(officer(known.tenant.project), clauses=[SNC], classification=secret)
    with pytest.raises(PolicyUnsatisfiable) as caught:
        attach(known, instance, volume)
    assert codes(caught, LAX) == {"CERT_MISSING"}
    assert not Attachment.objects.exists()
    with pytest.raises(PolicyUnsatisfiable):
        new_instance(known, name="around", volumes=(volume,))


def test_volume_cannot_attach_to_an_instance_inadmissible_in_its_zone(cloud: Cloud) -> None:
    """The other side: the guest could write its data there."""
    secret = classify("snc", [], cloud.tenant.project)
    instance, volume = made_instance(cloud, classifications=(secret.pk,)), made_volume(cloud)
    policies.policy_set(officer(cloud.tenant.project), clauses=in_zones("de-rhein-1"), classification=secret)
    with pytest.raises(PolicyUnsatisfiable):
        attach(cloud, instance, volume)


def test_instance_keeps_the_classifications_of_a_detached_volume(cloud: Cloud) -> None:
    secret = classify("secret", in_zones(HOME), cloud.tenant.project).pk
    instance, volume = made_instance(cloud), made_volume(cloud, classifications=(secret,))
    attachment, operation = attach(cloud, instance, volume)
    assert Binding.objects.get(pk=instance.pk).classifications == []
    done(operation)
    assert Binding.objects.get(pk=instance.pk).classifications == [secret]
    done(volume_detach(cloud.tenant.actor, fresh(attachment)))
    assert Binding.objects.get(pk=instance.pk).classifications == [secret]
    done(compute.instance_reboot(cloud.tenant.actor, instance))
    assert latest(instance.pk).classifications == [secret]


def test_volume_takes_the_classifications_of_its_instance(cloud: Cloud) -> None:
    """An empty volume is no way to carry classified data to an instance that is not."""
    secret = classify("secret", in_zones(HOME), cloud.tenant.project).pk
    first, second = made_instance(cloud, classifications=(secret,)), made_instance(cloud, name="other")
    courier = made_volume(cloud)
    attachment, operation = attach(cloud, first, courier)
    done(operation)
    done(volume_detach(cloud.tenant.actor, fresh(attachment)))
    assert Binding.objects.get(pk=courier.pk).classifications == [secret]
    done(attach(cloud, second, fresh(courier))[1])
    assert Binding.objects.get(pk=second.pk).classifications == [secret]


def test_read_only_volume_keeps_its_classifications(cloud: Cloud) -> None:
    secret = classify("secret", in_zones(HOME), cloud.tenant.project).pk
    instance, volume = made_instance(cloud, classifications=(secret,)), made_volume(cloud)
    done(attach(cloud, instance, volume, is_read_only=True)[1])
    assert Binding.objects.get(pk=volume.pk).classifications == []
    assert Lineage.objects.filter(resource_id=instance.pk, source_id=volume.pk).exists()


def test_volumes_of_the_first_boot_are_in_the_lineage(cloud: Cloud) -> None:
    secret = classify("secret", in_zones(HOME), cloud.tenant.project).pk
    other = classify("other", in_zones(HOME), cloud.tenant.project).pk
    volume = made_volume(cloud, classifications=(secret,))
    instance = made_instance(cloud, volumes=(volume,), classifications=(other,))
    for resource in (instance, volume):
        assert Binding.objects.get(pk=resource.pk).classifications == [other, secret]


def test_a_repeated_attachment_writes_nothing_twice(cloud: Cloud) -> None:
    instance, volume = made_instance(cloud), made_volume(cloud)
    attachment, operation = attach(cloud, instance, volume)
    inherit_classifications(attachment)
    inherit_classifications(attachment)
    done(operation)
    assert Lineage.objects.count() == 2


# ---- derived data: images


def test_copy_keeps_the_policy_of_its_source_project(known: Cloud) -> None:
    """B05 with what there is: an image of a strict project, a volume or an instance in a lax one."""
    make_node("n-sud", zone=LAX)
    strict, lax = known.tenant, make_tenant("lax")
    ruled(strict.project, SNC)
    image = private_image(known, strict)
    for make in (new_volume, new_instance):
        with pytest.raises(PolicyUnsatisfiable) as caught:
            make(known, lax, image=image, zones=(LAX,))
        assert codes(caught, LAX) == {"CERT_MISSING"}
        make(known, lax, zones=(LAX,), image=known.image)
    volume, _ = new_volume(known, lax, name="copy", image=image)
    demand = effective_policies.for_subject(PolicySubject(lax.project, volume.pk))
    assert [(policy.level, [clause.id for clause in policy.clauses]) for policy in demand.policies] == [
        ("lineage", ["snc"])
    ]


def test_copy_takes_the_classifications_of_its_image(cloud: Cloud) -> None:
    secret = classify("secret", in_zones(HOME), cloud.tenant.project).pk
    image = private_image(cloud, cloud.tenant, secret)
    instance = made_instance(cloud, image=image)
    volume = made_volume(cloud, image=image)
    for resource in (instance, volume):
        assert Binding.objects.get(pk=resource.pk).classifications == [secret]
        assert Lineage.objects.get(resource_id=resource.pk).source_id == image.pk


def test_a_public_image_has_no_lineage(cloud: Cloud) -> None:
    ruled(cloud.tenant.project, *in_zones(HOME))
    volume = made_volume(cloud, image=cloud.image)
    assert not Lineage.objects.filter(resource_id=volume.pk).exists()


def test_later_looser_policy_does_not_loosen_old_lineage(known: Cloud, settings: Settings) -> None:
    """Data derived under stricter clauses keeps them when its project demands less."""
    settings.POLICY_COOLING_HOURS = 0
    make_node("n-sud", zone=LAX)
    project = known.tenant.project
    ruled(project, SNC)
    image = private_image(known, known.tenant)
    old = made_volume(known, image=image)
    proposal = policies.policy_set(officer(project, "one"), clauses=[], project=project).proposal
    assert isinstance(proposal, PolicyProposal)
    proposals.proposal_approve(officer(project, "two"), proposal)
    assert proposals.apply_due() == 1
    assert not any(policy.clauses for policy in effective_policies.for_project(project))
    effective = effective_policies.for_subject(PolicySubject(project, old.pk)).policies
    assert [clause.id for policy in effective if policy.level == "lineage" for clause in policy.clauses] == ["snc"]
    with pytest.raises(PolicyUnsatisfiable):
        placement.check_placement(
            replace(storage.volume_placement_request(old, zones=(LAX,), near=(), operation="volume.create"))
        )
    new_volume(known, name="new", image=image, zones=(LAX,))


def test_policy_layers_are_not_duplicated(known: Cloud) -> None:
    ruled(known.tenant.project, SNC)
    ruled(known.tenant.project, *EU, at="organization")
    instance = made_instance(known, image=private_image(known, known.tenant))
    levels = [
        policy.level
        for policy in effective_policies.for_subject(PolicySubject(known.tenant.project, instance.pk)).policies
    ]
    assert levels == ["organization", "project"]


def test_image_is_classified_at_creation(cloud: Cloud) -> None:
    secret = classify("secret", in_zones(HOME), cloud.tenant.project).pk
    image, _ = images.image_create(
        cloud.tenant.actor, cloud.tenant.project, NewImage(name="mine", format="qcow2"), classifications=[secret]
    )
    assert Binding.objects.get(pk=image.pk).classifications == [secret]


def test_a_cache_of_a_private_image_is_a_copy(known: Cloud) -> None:
    """A clause that speaks of images alone keeps the image's bytes from the node, and so the instance."""
    make_node("n-sud", zone=LAX)
    for_images = SNC | {"roles": ["image"]}
    secret = classify("secret", [for_images], known.tenant.project).pk
    with pytest.raises(PolicyUnsatisfiable):
        new_instance(known, image=private_image(known, known.tenant, secret), zones=(LAX,))


# ---- what the database itself refuses


def test_classifications_of_data_never_shrink(cloud: Cloud) -> None:
    name = classify("secret", in_zones(HOME), cloud.tenant.project).pk
    volume, _ = new_volume(cloud, classifications=(name,))
    other = make_tenant("beta").project
    for change in ({"classifications": []}, {"kind": "image"}, {"project": other}, {"classifications": ["public"]}):
        with pytest.raises(DatabaseError, match="can only grow"), transaction.atomic():
            Binding.objects.filter(pk=volume.pk).update(**change)
    with pytest.raises(DatabaseError, match="can only grow"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM placement_binding")
    Binding.objects.filter(pk=volume.pk).update(classifications=[name, "public"])


def test_lineage_is_never_changed(cloud: Cloud) -> None:
    volume = made_volume(cloud, image=private_image(cloud, cloud.tenant))
    for statement in ("UPDATE placement_lineage SET classifications = '{}'", "DELETE FROM placement_lineage"):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert Lineage.objects.filter(resource_id=volume.pk).count() == 1


def test_decision_with_fewer_classifications_admits_nothing(cloud: Cloud) -> None:
    """The data was classified after the decision was taken."""
    instance = made_instance(cloud)
    secret = classify("secret", in_zones(HOME), cloud.tenant.project).pk
    stale = placement.renew_decision(instance_placement_request(instance, operation="instance.start"))
    Binding.objects.filter(pk=instance.pk).update(classifications=[secret])
    Allocation.objects.filter(consumer_id=instance.pk).update(decision=placement.renew_decision(start(instance)))
    with pytest.raises(DatabaseError, match="STALE_POLICY"), transaction.atomic():
        Allocation.objects.filter(consumer_id=instance.pk).update(decision=stale)


def start(instance: Instance) -> Any:
    return instance_placement_request(instance, operation="instance.start")


def test_a_decision_about_another_resource_admits_nothing(cloud: Cloud) -> None:
    first, second = made_instance(cloud), made_instance(cloud, name="other")
    other = Allocation.objects.get(consumer_id=second.pk).decision
    with pytest.raises(DatabaseError, match="does not admit"), transaction.atomic():
        Allocation.objects.filter(consumer_id=first.pk).update(decision=other)


def test_classification_of_another_organization_cannot_be_used(cloud: Cloud) -> None:
    theirs = classify("secret", in_zones(HOME), make_tenant("beta").project)
    with pytest.raises(ClassificationNotFound):
        classifications.usable_classification(cloud.tenant.actor, cloud.tenant.project, theirs.pk)


def test_source_of_another_project_adds_its_policy(cloud: Cloud) -> None:
    other: Project = make_tenant("beta").project
    ruled(other, SNC)
    demand = effective_policies.for_subject(
        PolicySubject(cloud.tenant.project, None, sources=(DataSource(new_id(), other),))
    )
    assert [policy.level for policy in demand.policies] == ["lineage"]


def elsewhere(roles: list[str] | None) -> list[dict[str, object]]:
    """A clause about these roles, or all, that the zone in which everything is does not satisfy."""
    return in_zones("de-rhein-1", **({"roles": roles} if roles else {}))


@pytest.mark.parametrize("roles", [None, ["compute", "storage"], ["netedge"]], ids=str)
def test_cancelled_detachment_is_checked_like_an_attachment(cloud: Cloud, roles: list[str] | None) -> None:
    """A guest that has released the volume does not get it back where the volume is no longer admitted."""
    attachment, operation = attach(cloud, made_instance(cloud), made_volume(cloud))
    done(operation)
    ruled(cloud.tenant.project, *elsewhere(roles), at="organization")
    cloud.fake.fail_next("unplug_disk", HypervisorUnavailable("the answer was lost"))
    detach = run(volume_detach(cloud.tenant.actor, fresh(attachment)))
    guest = cloud.fake.guests[attachment.instance_id]
    guest.running = guest.spec
    operation_cancel(cloud.tenant.actor, detach)
    assert run_next_attempt(detach).state == "cancelled", detach.steps
    assert detach.error["code"] == "compute.attachment.not_given_back"
    assert attachment.volume_id not in {disk.volume_id for disk in guest.spec.disks + guest.running.disks}
    assert not Attachment.objects.exists()
    volume = fresh(attachment.volume)
    assert (volume.state, volume.last_error["code"]) == ("available", "policy_unsatisfiable")


def test_refused_undo_waits_for_the_guest_to_release_the_volume(cloud: Cloud) -> None:
    attachment, operation = attach(cloud, made_instance(cloud), made_volume(cloud))
    done(operation)
    ruled(cloud.tenant.project, *in_zones("de-rhein-1"), at="organization")
    cloud.fake.ignore_detach = True
    detach = run(volume_detach(cloud.tenant.actor, fresh(attachment)))
    operation_cancel(cloud.tenant.actor, detach)
    assert run_next_attempt(detach).state == "undoing"
    cloud.fake.ignore_detach = False
    assert run_next_attempt(detach).state == "cancelled", detach.steps
    assert not Attachment.objects.exists()


@pytest.mark.parametrize("roles", [None, ["compute", "storage"]], ids=str)
def test_detachment_needs_no_permit(cloud: Cloud, roles: list[str] | None) -> None:
    attachment, operation = attach(cloud, made_instance(cloud), made_volume(cloud))
    done(operation)
    ruled(cloud.tenant.project, *elsewhere(roles), at="organization")
    detach = volume_detach(cloud.tenant.actor, fresh(attachment))
    done(detach)
    assert not Attachment.objects.exists()
    assert not Permit.objects.filter(operation_id=detach.pk).exists()


# ---- how much lineage there can be


def test_policy_versions_do_not_accumulate_in_lineage(cloud: Cloud) -> None:
    project = cloud.tenant.project
    instance, volume = made_instance(cloud), made_volume(cloud)
    for n in range(6):
        zones = [HOME, *(f"z{each}" for each in range(6 - n))]
        many = [clause for k in range(60) for clause in in_zones(*zones, name=f"a{k}")]
        ruled(project, *many, at="organization")
        lineage.add_source(DataSource.of(instance), DataSource.of(volume), kind="instance")
        lineage.add_source(DataSource.of(volume), DataSource.of(instance), kind="volume")
    layers = effective_policies.for_subject(PolicySubject(project, instance.pk)).policies
    assert sum(len(layer.clauses) for layer in layers) == 60
    done(compute.instance_reboot(cloud.tenant.actor, instance))


def burdened(resource: Any, project: Project, *, count: int = 250) -> None:
    """Give the resource lineage of this number of clauses."""
    clauses = [clause for n in range(count) for clause in in_zones(HOME, f"z{n}", name=f"a{n}")]
    layers = [
        {"id": f"old-{resource.pk}-{n}"[:63], "level": "project", "atoms": clauses[n * 50 : n * 50 + 50]}
        for n in range(-(-count // 50))
    ]
    document = PolicyDocument.objects.create(digest=f"{resource.pk.hex:0<64}", document=layers)
    Lineage.objects.create(resource_id=resource.pk, source_id=new_id(), policies=document)


def test_attachment_over_the_clause_limit_is_refused(cloud: Cloud) -> None:
    instance, volume = made_instance(cloud), made_volume(cloud)
    burdened(volume, cloud.tenant.project)
    own = [clause for n in range(10) for clause in in_zones(HOME, f"own{n}", name=f"o{n}")]
    PolicyVersion.objects.create(level="resource", resource_id=instance.pk, version=1, clauses=own)
    with pytest.raises(TooManyClauses, match="260"):
        attach(cloud, instance, volume)
    assert not Attachment.objects.exists()
    assert not Lineage.objects.filter(resource_id=instance.pk).exists()


def test_policy_over_the_clause_limit_of_a_resource_is_refused(cloud: Cloud) -> None:
    volume, project = made_volume(cloud), cloud.tenant.project
    burdened(volume, project)
    more = [clause for n in range(10) for clause in in_zones(HOME, f"own{n}", name=f"o{n}")]
    for at in ("project", "organization"):
        with pytest.raises(PolicyOverflows, match=str(volume.pk)):
            ruled(project, *more, at=at)
    assert not PolicyVersion.objects.exists()
    ruled(make_tenant("beta").project, *more)


def test_resource_over_the_clause_limit_is_drifted(cloud: Cloud) -> None:
    broken, well = made_volume(cloud), made_volume(cloud, name="well")
    burdened(broken, cloud.tenant.project, count=300)
    compliance_drift.reconcile()
    rows = {row.pk: row for row in Compliance.objects.all()}
    assert (rows[broken.pk].state, rows[well.pk].state) == ("drifted", "compliant")
    assert [each["code"] for each in rows[broken.pk].failing] == ["TOO_MANY_ATOMS"]
    (item,) = RemediationPlan.objects.get().items
    assert (item["resource_id"], item["targets"]) == (str(broken.pk), [])
