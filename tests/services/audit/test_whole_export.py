"""Records of the product itself pass the verifier.

They are facts, policies, decisions, permits of the real signer, and receipts of a real agent.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from controlplane.audit import export_archive, log_key
from controlplane.audit.models import EvidenceRecord
from controlplane.audit.selectors import residency_of
from controlplane.compute.attachments import volume_attach, volume_detach
from controlplane.compute.services import instance_delete, instance_power_off, instance_reboot, instance_start
from controlplane.identity.actor import SYSTEM
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.placement import proposals
from controlplane.placement.declassifications import NewDeclassification, declassification_propose
from controlplane.placement.policies import policy_set
from tests.facts import import_sample, state_of
from tests.services.audit.exports import verdict
from tests.services.audit.receipts import record_receipts
from tests.services.placement.test_policies import wait
from tests.services.policies import classify, in_zones, latest, made_volume, officer
from tests.workflows.helpers import ask_instance, attach, done, fresh, make_instance, make_volume
from tests.workflows.snapshots import ask_clone, ask_revert, ask_snapshot, cluster, delete_snapshot
from tests.world import Cloud

HOUR = timedelta(hours=1)
EU = [
    {"id": "loc", "attr": "location.territory", "op": "in", "value": ["@EU"]},
    {"id": "adm", "attr": "admin.access_from", "op": "subset", "value": ["@EU"]},
    {"id": "snc", "op": "holds", "scheme": "SecNumCloud", "min_version": "3.2", "scope": "iaas"},
]


@pytest.fixture
def recorded_cloud(cloud: Cloud) -> Cloud:
    """Return a cloud with facts, a policy, and records of deleted instances and volumes."""
    log_key.create_log_key(cloud.world.folder / "pki")
    import_sample()
    cloud.world.publish_keys()
    cloud.machine.heartbeat()
    policy_set(SYSTEM, clauses=EU, organization=cloud.tenant.project.organization)
    instance = make_instance(cloud)
    attachment, attaching = attach(cloud, instance, make_volume(cloud))
    done(attaching)
    done(instance_power_off(cloud.tenant.actor, instance))
    done(instance_start(cloud.tenant.actor, instance))
    done(volume_detach(cloud.tenant.actor, attachment))
    done(instance_reboot(cloud.tenant.actor, instance))
    record_receipts(cloud.machine)
    return cloud


def exported(cloud: Cloud, folder: Path) -> Path:
    window = export_archive.ExportWindow(cloud.tenant.project.organization, clock.now() - HOUR, clock.now())
    export_archive.write_export(window, folder / "export.tar")
    return folder / "export.tar"


def count(kind: str) -> int:
    return EvidenceRecord.objects.filter(kind=kind).count()


def test_decisions_permits_and_receipts_verify(recorded_cloud: Cloud, tmp_path: Path) -> None:
    result = verdict(
        exported(recorded_cloud, tmp_path), "--root-key", str(recorded_cloud.world.folder / "pki" / "root.pub")
    )
    assert result.status == 0, result.out
    assert count("decision") >= 3
    assert count("permit") >= 3
    assert count("receipt") >= 4


def test_snapshots_reverts_and_clones_verify(recorded_cloud: Cloud, tmp_path: Path) -> None:
    volume_type = cluster(recorded_cloud)
    snapshot, taking = ask_snapshot(recorded_cloud, make_volume(recorded_cloud, "shared", volume_type=volume_type))
    done(taking)
    snapshot = fresh(snapshot)
    done(ask_revert(recorded_cloud, snapshot))
    done(ask_clone(recorded_cloud, snapshot, volume_type=volume_type)[1])
    done(delete_snapshot(recorded_cloud, snapshot))
    record_receipts(recorded_cloud.machine)
    result = verdict(
        exported(recorded_cloud, tmp_path), "--root-key", str(recorded_cloud.world.folder / "pki" / "root.pub")
    )
    assert result.status == 0, result.out
    assert count("copy") == 2
    permitted = EvidenceRecord.objects.filter(kind="permit", document__contains=str(snapshot.pk))
    assert permitted.count() == 3, "to take it, to revert to it and to make a volume of it"


def test_declassification_verifies(recorded_cloud: Cloud, tmp_path: Path) -> None:
    """Decisions name what the data was classified as at the time of each."""
    project = recorded_cloud.tenant.project
    secret = classify("secret", in_zones("fr-idf-1"), project).pk
    volume = made_volume(recorded_cloud, name="secret", classifications=(secret,))
    new = NewDeclassification(str(volume.pk), "it is published", [secret])
    proposal = declassification_propose(officer(project, "ada"), project.organization, new)
    proposals.proposal_approve(officer(project, "bob"), proposal)
    wait(24)
    assert proposals.apply_due() == 1
    instance = make_instance(recorded_cloud, "other")
    done(volume_attach(recorded_cloud.tenant.actor, instance, volume=volume, is_read_only=False)[1])
    record_receipts(recorded_cloud.machine)
    assert latest(volume.pk).classifications == latest(instance.pk).classifications == []
    result = verdict(
        exported(recorded_cloud, tmp_path), "--root-key", str(recorded_cloud.world.folder / "pki" / "root.pub")
    )
    assert result.status == 0, result.out
    assert count("policy_proposal") == 3


def test_refused_placement_verifies(recorded_cloud: Cloud, tmp_path: Path) -> None:
    state_of("zone", "fr-idf-1", {"admin.access_from": ["FR", "MA"]})
    with pytest.raises(CloudError, match="Refused by policy"):
        ask_instance(recorded_cloud, "late")
    assert verdict(exported(recorded_cloud, tmp_path)).status == 0
    assert EvidenceRecord.objects.filter(kind="decision", document__contains="inadmissible").exists()


def test_guest_is_traceable_from_permit_to_deletion(recorded_cloud: Cloud) -> None:
    instance = make_instance(recorded_cloud, "followed")
    record_receipts(recorded_cloud.machine)
    (running,) = residency_of(instance.pk, role="compute").intervals
    assert (running.zone, running.node) == ("fr-idf-1", str(recorded_cloud.machine.row.pk))
    assert (running.state, running.is_compliant, running.end) == ("proven", True, None)
    done(instance_delete(recorded_cloud.tenant.actor, instance))
    record_receipts(recorded_cloud.machine)
    (ended,) = residency_of(instance.pk, role="compute").intervals
    assert ended.end is not None
    assert ended.close_receipt


def test_fact_changed_by_sql_is_found(recorded_cloud: Cloud, tmp_path: Path) -> None:
    """A database administrator can change a decision, but not the log."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE catalog_fact DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE catalog_fact SET value = '[\"US\"]' "
            "WHERE subject_id = 'fr-idf-2' AND attribute = 'admin.access_from'"
        )
        cursor.execute("ALTER TABLE catalog_fact ENABLE TRIGGER USER")
    make_instance(recorded_cloud, "after")
    decisions = EvidenceRecord.objects.filter(kind="decision")
    false = decisions.order_by("pk").last()
    assert false is not None
    faults = verdict(exported(recorded_cloud, tmp_path)).faults
    assert len(faults) == 1
    assert str(false.pk) in faults[0]
    assert "zone fr-idf-2" in faults[0]
