"""The signer decides anew before it signs; forged queue messages and rows gain nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from andromede_core.documents import signed
from andromede_core.permits.permit import KIND, LIFETIME
from controlplane.audit.models import EvidenceRecord
from controlplane.catalog import signing_keys as catalog_keys
from controlplane.catalog.models import Fact
from controlplane.compute.models import Attachment, Instance
from controlplane.compute.services import instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.network.models import Port
from controlplane.nodes import signing_keys, trust_documents
from controlplane.nodes.keysets import NewKeys
from controlplane.nodes.management import signing
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.placement import assessment_cache
from controlplane.placement.errors import PolicyUnsatisfiable
from controlplane.placement.exemptions import NewExemption, as_core, exemption_request
from controlplane.placement.models import Allocation, Binding, Decision, Permit, PolicyDocument
from controlplane.placement.policies import policy_set
from controlplane.signer import permits as signer
from controlplane.storage.models import Volume
from tests.approvers import agree
from tests.facts import officer, state_of
from tests.services.policies import ruled
from tests.services.signer.conftest import Waiting, fresh, payload_of
from tests.workflows.helpers import ask_instance, attach, make_instance, make_stopped_instance, make_volume
from tests.world import Cloud, run, run_next_attempt

IN_FRANCE = {"id": "loc", "attr": "location.territory", "op": "in", "value": ["FR"]}
Wait = Callable[[Operation], Waiting]


def france(cloud: Cloud) -> None:
    """An officer says where the zone is, and nodes trust his key."""
    by = officer()
    cloud.world.publish_keys()
    state_of("zone", "fr-idf-1", {"location.territory": "FR"})
    assert by.key_id in trust_documents.keyset().keys


def test_permit_lists_exactly_the_resources_of_the_operation(cloud: Cloud, wait_for: Wait) -> None:
    volume = make_volume(cloud)
    instance, operation = ask_instance(cloud, volumes=(volume,))
    waiting = wait_for(operation)
    permit = waiting.signed()
    instance = Instance.objects.get(pk=instance.pk)
    assert (permit.op, permit.resource, permit.gen) == ("instance.create", str(instance.pk), instance.generation)
    assert (permit.aud, permit.zone) == (str(cloud.machine.row.pk), "fr-idf-1")
    assert set(permit.contents.volumes) == {str(instance.root_volume_id), str(volume.pk)}
    assert permit.contents.images == (cloud.image.sha256,)
    (port,) = Port.objects.filter(instance_id=instance.pk)
    assert permit.contents.nics == (str(port.pk),)
    assert permit.contents.addresses == (f"{port.pk} {port.network_id} {port.mac} {port.ip}",)
    assert permit.contents.attachments == (str(Attachment.objects.get().pk),)
    assert permit.contents.instances == (str(instance.pk),)
    assert (permit.limits.vcpus, permit.limits.memory_mib, permit.limits.disk_gib) == (1, 128, 1)
    assert permit.exp - permit.nbf == LIFETIME
    assert (permit.project, permit.classifications, permit.exemption) == (str(cloud.tenant.project.pk), (), None)


def test_the_permit_of_an_attachment_names_both_sides(cloud: Cloud, wait_for: Wait) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud)
    attachment, operation = attach(cloud, instance, volume)
    permit = wait_for(operation).signed()
    assert (permit.op, permit.resource) == ("volume.attach", str(volume.pk))
    assert permit.contents.volumes == (str(volume.pk),)
    assert permit.contents.instances == (str(instance.pk),)
    assert permit.contents.attachments == (str(attachment.pk),)
    assert not permit.contents.images


def test_permit_is_evidence_signed_by_a_published_key(waiting: Waiting) -> None:
    permit = waiting.signed()
    record = EvidenceRecord.objects.get(kind="permit")
    assert (record.subject_id, record.resource_id) == (waiting.row.pk, waiting.operation.resource_id)
    assert record.organization_id == waiting.cloud.tenant.project.organization_id
    document = signed.read(bytes(fresh(waiting.row.pk).document or b""))
    key = trust_documents.keyset().keys[document.key_id]
    document.check(KIND, catalog_keys.verifier(key.public_key))
    assert permit.jti == str(waiting.row.pk)


def test_repeated_permit_request_is_signed_once(waiting: Waiting) -> None:
    first = waiting.answered()
    second = waiting.answered()
    assert (first.document, first.updated_at) == (second.document, second.updated_at)
    signer.sign(new_id())
    assert EvidenceRecord.objects.filter(kind="permit").count() == 1


# ---- forged requests


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"operation_id": new_id()}, "permit.outdated"),
        ({"op": "instance.start"}, "permit.outdated"),
        ({"resource_id": new_id()}, "permit.outdated"),
        ({"generation": 1}, "permit.outdated"),
        ({"generation": 7}, "permit.outdated"),
    ],
)
def test_request_inconsistent_with_the_rows_is_refused(waiting: Waiting, change: dict[str, Any], code: str) -> None:
    Permit.objects.filter(pk=waiting.row.pk).update(**change)
    assert waiting.refused() == code
    assert not EvidenceRecord.objects.filter(kind="permit").exists()


def test_request_for_another_node_is_refused(waiting: Waiting) -> None:
    other = waiting.cloud.world.add_machine("fr-idf-1")
    Permit.objects.filter(pk=waiting.row.pk).update(node=other.row)
    assert waiting.refused() == "placement.no_allocation"


def test_request_without_an_allocation_is_refused(waiting: Waiting) -> None:
    Allocation.objects.all().delete()
    assert waiting.refused() == "placement.no_allocation"


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled", "pending"])
def test_request_of_an_inactive_operation_is_refused(waiting: Waiting, state: str) -> None:
    Operation.objects.filter(pk=waiting.operation.pk).update(state=state, finished_at=clock.now())
    assert waiting.refused() == "permit.outdated"


def test_request_of_an_operation_without_permits_is_refused(waiting: Waiting) -> None:
    Operation.objects.filter(pk=waiting.operation.pk).update(kind="instance.delete")
    Permit.objects.filter(pk=waiting.row.pk).update(op="instance.delete")
    assert waiting.refused() == "permit.outdated"


def test_request_for_a_deleted_resource_is_refused(waiting: Waiting) -> None:
    Port.objects.all().delete()
    Attachment.objects.all().delete()
    Instance.objects.all().delete()
    assert waiting.refused() == "permit.outdated"


# ---- the decision is taken again


def forged_decision(waiting: Waiting) -> Decision:
    """Admits whatever it is: what somebody could write who has the database, but not the signer's key."""
    document, _ = PolicyDocument.objects.get_or_create(digest="0" * 64, defaults={"document": []})
    standing = assessment_cache.read_versions(waiting.cloud.tenant.project.organization_id, new_id()).standing
    return Decision.objects.create(
        operation="instance.create",
        project=waiting.cloud.tenant.project,
        consumer_id=waiting.operation.resource_id,
        is_admitted=True,
        roles=[],
        facts_epoch=standing.facts_epoch,
        platform_version=standing.platform_version,
        organization_version=standing.organization_version,
        policies=document,
        admitted_zones=["fr-idf-1"],
        document={},
    )


@pytest.mark.parametrize("roles", [[], ["compute", "storage", "replica", "image", "key", "log", "metadata", "admin"]])
def test_forged_decision_is_ignored(cloud: Cloud, waiting: Waiting, roles: list[str]) -> None:
    ruled(cloud.tenant.project, {"id": "home", "attr": "zone.id", "op": "in", "value": ["de-rhein-1"]})
    decision = forged_decision(waiting)
    Decision.objects.filter(pk=decision.pk).update(roles=[*roles, "netedge"] if roles else [])
    Permit.objects.filter(pk=waiting.row.pk).update(decision=decision)
    assert waiting.refused() in ("policy_unsatisfiable", "permit.facts_not_vouched_for")


@pytest.mark.parametrize("is_named", [False, True])
def test_missing_or_foreign_decision_is_replaced(waiting: Waiting, is_named: bool) -> None:
    other = make_volume_decision(waiting) if is_named else None
    Permit.objects.filter(pk=waiting.row.pk).update(decision=other)
    permit = waiting.signed()
    decision = fresh(waiting.row.pk).decision
    assert decision is not None
    assert (permit.decision, decision.consumer_id) == (str(decision.pk), waiting.operation.resource_id)
    assert decision.operation == "instance.create" and decision.is_admitted


def make_volume_decision(waiting: Waiting) -> Decision:
    decision = forged_decision(waiting)
    Decision.objects.filter(pk=decision.pk).update(consumer_id=new_id())
    return decision


def test_policy_tightened_after_the_request_refuses(waiting: Waiting) -> None:
    ruled(waiting.cloud.tenant.project, {"id": "home", "attr": "zone.id", "op": "in", "value": ["de-rhein-1"]})
    assert waiting.refused() == "policy_unsatisfiable"
    assert run_next_attempt(waiting.operation).state == "failed"
    assert not waiting.cloud.fake.images


def test_changed_facts_give_a_permit_on_the_new_epoch(cloud: Cloud, waiting: Waiting) -> None:
    asked_with = waiting.row.decision
    france(cloud)
    permit = waiting.signed()
    assert permit.epoch > (asked_with.facts_epoch if asked_with else 0)
    assert permit.decision != str(waiting.row.decision_id)


def test_fact_changed_without_a_signature_is_not_trusted(cloud: Cloud, wait_for: Wait) -> None:
    """The database says that the zone is in France; the officer has signed something else, or nothing."""
    france(cloud)
    state_of("zone", "fr-idf-1", {"location.territory": "US"})
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE catalog_fact DISABLE TRIGGER USER")
        Fact.objects.filter(attribute="location.territory", superseded_at=None).update(value="FR")
        cursor.execute("ALTER TABLE catalog_fact ENABLE TRIGGER USER")
    ruled(cloud.tenant.project, IN_FRANCE)
    waiting = wait_for(ask_instance(cloud)[1])
    assert waiting.refused() == "permit.facts_not_vouched_for"
    assert run_next_attempt(waiting.operation).state == "failed"
    assert not cloud.fake.images


def test_fact_signed_by_an_unpublished_key_is_not_trusted(cloud: Cloud, wait_for: Wait) -> None:
    france(cloud)
    ruled(cloud.tenant.project, IN_FRANCE)
    trust_documents.deny(SYSTEM, cloud.world.signer, kids=[officer().key_id])
    assert wait_for(ask_instance(cloud)[1]).refused() == "permit.facts_not_vouched_for"


def test_permit_expires_with_its_facts(cloud: Cloud, wait_for: Wait) -> None:
    officer()
    cloud.world.publish_keys()
    ends = clock.now() + timedelta(seconds=60)
    state_of("zone", "fr-idf-1", {"location.territory": "FR"}, valid_to=ends)
    ruled(cloud.tenant.project, IN_FRANCE)
    assert wait_for(ask_instance(cloud)[1]).signed().exp == ends


# ---- the node


def test_node_without_a_charter_is_refused(waiting: Waiting) -> None:
    trust_documents.TrustDocument.objects.filter(kind="charter").delete()
    assert waiting.refused() == "permit.node_not_cleared"


def test_fenced_node_is_refused(waiting: Waiting) -> None:
    """The permit was requested before the fencing, or the worker did not check."""
    Node.objects.update(admin_state="fenced", fenced_by={"kind": "power"})
    assert waiting.refused() == "node.away"


def test_expired_charter_is_refused(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    later = clock.now() + timedelta(days=366)
    monkeypatch.setattr(signer.clock, "now", lambda: later)
    assert waiting.refused() in ("permit.node_not_cleared", "policy_unsatisfiable")


def test_charter_without_the_classification_is_refused(cloud: Cloud, wait_for: Wait) -> None:
    waiting = wait_for(ask_instance(cloud)[1])
    classified(waiting, "dr")
    cloud.world.charter(cloud.machine.row, "eu-resident")
    assert waiting.refused() == "permit.node_not_cleared"
    cloud.world.charter(cloud.machine.row, "eu-resident", "dr")
    run_next_attempt(waiting.operation)


def classified(waiting: Waiting, name: str) -> None:
    Binding.objects.update_or_create(
        resource_id=waiting.operation.resource_id,
        defaults={"kind": "instance", "project": waiting.cloud.tenant.project, "classifications": [name]},
    )


@pytest.mark.parametrize("fault", ["hook", "age", "never"])
@pytest.mark.parametrize("name", ["eu-resident", "public"])
def test_unattested_node_gets_public_data_only(waiting: Waiting, settings: Settings, fault: str, name: str) -> None:
    classified(waiting, name)
    old = clock.now() - timedelta(hours=settings.NODE_ATTESTATION_HOURS)
    faults = {
        "hook": {"is_attested": False, "hook_problem": "It is gone."},
        "age": {"attested_at": old},
        "never": {"attested_at": None},
    }
    Node.objects.update(**faults[fault])
    if name == "public":
        assert waiting.signed().classifications == ("public",)
    else:
        assert waiting.refused() == "permit.node_not_cleared"


# ---- keys


def test_request_waits_for_the_signer_key(waiting: Waiting) -> None:
    folder = waiting.cloud.world.folder / "pki"
    (folder / "signer.key").rename(folder / "kept")
    assert waiting.answered().state == "requested"
    (folder / "kept").rename(folder / "signer.key")
    assert signer.sign_all() == 1
    assert payload_of(fresh(waiting.row.pk)).jti == str(waiting.row.pk)
    assert run_next_attempt(waiting.operation).state == "succeeded"


def test_readable_key_file_is_not_used(waiting: Waiting) -> None:
    (waiting.cloud.world.folder / "pki" / "signer.key").chmod(0o644)
    assert waiting.answered().state == "requested"


def test_key_of_other_zones_does_not_sign(cloud: Cloud, waiting: Waiting) -> None:
    signing.publish(SYSTEM, cloud.world.root, NewKeys(), without=[cloud.world.signer.id])
    (cloud.world.folder / "pki" / "signer.pub").unlink()
    other = signing_keys.create(cloud.world.folder / "pki", signing_keys.SIGNER, name="signer-de")
    signing.publish(SYSTEM, cloud.world.root, NewKeys(zones=("de-rhein-1",)), without=[cloud.world.signer.id])
    assert [key.id for key in trust_documents.keyset().keys.values() if key.use == "permit"] == [other.id]
    assert waiting.answered().state == "requested"


def test_failure_of_one_request_does_not_block_others(
    cloud: Cloud, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = run(ask_instance(cloud, "other")[1])
    read_inputs = signer.read_inputs

    def buggy(row: Permit) -> signer.PermitInputs:
        if row.pk == waiting.row.pk:
            raise ValueError("a bug")
        return read_inputs(row)

    monkeypatch.setattr(signer, "read_inputs", buggy)
    assert signer.sign_all() == 2
    assert fresh(waiting.row.pk).state == "requested"
    assert Permit.objects.get(operation_id=other.pk).state == "signed"


def test_attachment_permit_needs_the_volume(cloud: Cloud, wait_for: Wait) -> None:
    instance, volume = make_instance(cloud), make_volume(cloud)
    waiting = wait_for(attach(cloud, instance, volume)[1])
    Allocation.objects.filter(consumer_id=volume.pk).delete()
    assert waiting.refused() == "placement.no_allocation"
    assert Volume.objects.get(pk=volume.pk).node_id == instance.node_id


def test_exempted_permit_has_the_approvals_and_is_used_once(cloud: Cloud, wait_for: Wait) -> None:
    instance = make_stopped_instance(cloud)
    france(cloud)
    elsewhere = {"id": "loc", "attr": "location.territory", "op": "in", "value": ["DE"], "waivable": True}
    policy_set(cloud.tenant.actor, clauses=[elsewhere], project=cloud.tenant.project)
    with pytest.raises(PolicyUnsatisfiable) as caught:
        instance_start(cloud.tenant.actor, instance)
    refused = Decision.objects.get(pk=caught.value.facts["placement_decision"])
    new = NewExemption(decision=refused, zone="fr-idf-1", reason="the flood")
    exemption = agree(cloud.world.root, exemption_request(cloud.tenant.actor, cloud.tenant.project, new))
    waiting = wait_for(instance_start(cloud.tenant.actor, instance))
    permit = waiting.signed()
    assert permit.exemption == as_core(exemption)
    assert permit.exp <= exemption.expires_at
    state_of("zone", "fr-idf-1", {"location.territory": "FR"})
    assert run_next_attempt(waiting.operation).state == "running", "facts have changed: it needs another permit"
    assert signer.sign_all() == 1
    assert run_next_attempt(waiting.operation).state == "succeeded"
    exemption.refresh_from_db()
    assert exemption.use_count == 1
