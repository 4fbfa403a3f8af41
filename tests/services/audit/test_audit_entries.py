"""Audit entries are written in the transaction of the action and never changed."""

import pytest
from django.db import IntegrityError, connection, transaction

from controlplane.audit.models import AuditEntry
from controlplane.audit.services import record
from controlplane.compute.services import instance_delete, instance_power_off
from controlplane.identity.actor import SYSTEM
from controlplane.kernel.errors import CloudError
from controlplane.kernel.ids import new_id
from controlplane.network.errors import NetworkNameTaken
from controlplane.network.services import network_create
from tests.conftest import emptying
from tests.workflows.helpers import done, make_instance
from tests.world import Cloud, make_tenant


@pytest.mark.django_db
@pytest.mark.parametrize("statement", ["UPDATE audit_auditrecord SET verb = 'x'", "DELETE FROM audit_auditrecord"])
def test_audit_entry_is_neither_changed_nor_deleted(statement: str) -> None:
    record(SYSTEM, "node.cordon", new_id())
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEntry.objects.get().delete()
    assert AuditEntry.objects.get().verb == "node.cordon"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "table", ["auditrecord", "evidencerecord", "merklenode", "checkpoint", "cosignature", "requestrecord"]
)
def test_append_only_table_is_not_truncated(table: str) -> None:
    emptying("ENABLE")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE audit_{table} CASCADE")


@pytest.mark.django_db
def test_audit_entry_names_user_credential_and_request() -> None:
    tenant = make_tenant()
    resource = new_id()
    record(tenant.actor, "volume.grow", resource, size_gib=5)
    row = AuditEntry.objects.get()
    assert (row.verb, row.resource_id, row.project_id) == ("volume.grow", resource, tenant.project.pk)
    assert (row.user_id, row.credential_id) == (tenant.actor.user_id, tenant.actor.credential_id)
    assert row.facts == {"size_gib": 5}


@pytest.mark.django_db
def test_failed_action_is_not_recorded() -> None:
    tenant = make_tenant()
    for expected in (None, NetworkNameTaken):
        try:
            network_create(tenant.actor, tenant.project, name="lan", cidr="10.0.0.0/24", dns_servers=[], labels={})
        except CloudError as exc:
            assert type(exc) is expected
    assert AuditEntry.objects.filter(verb="network.create").count() == 1


def test_lifecycle_of_an_instance_is_recorded(cloud: Cloud) -> None:
    instance = make_instance(cloud)
    done(instance_power_off(cloud.tenant.actor, instance))
    done(instance_delete(cloud.tenant.actor, instance))
    verbs = AuditEntry.objects.filter(resource_id=instance.pk).order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["instance.create", "instance.power-off", "instance.delete"]
