"""Orphaned snapshots in pools of storage clusters."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

KINDS = ("domain", "volume", "image", "file", "port", "attachment", "snapshot", "allocation", "address")
PLACES = Q(kind="address") | Q(node__isnull=False, pool=None) | Q(kind__in=("volume", "snapshot"), pool__isnull=False)


class Migration(migrations.Migration):
    dependencies = [("nodes", "0022_storage_addresses")]
    operations = [
        migrations.RemoveConstraint("orphan", "nodes_orphan_kind"),
        migrations.RemoveConstraint("orphan", "nodes_orphan_has_place"),
        AddConstraintNotValid("orphan", models.CheckConstraint(condition=Q(kind__in=KINDS), name="nodes_orphan_kind")),
        AddConstraintNotValid("orphan", models.CheckConstraint(condition=PLACES, name="nodes_orphan_has_place")),
    ]
