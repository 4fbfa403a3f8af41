"""Copies of volumes are removed from nodes too."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

KINDS = ("arrival", "instance", "volume-copy", "volume", "shared-volume", "port", "attachment")


class Migration(migrations.Migration):
    dependencies = [("nodes", "0023_orphaned_snapshots")]
    operations = [
        migrations.RemoveConstraint("noderemoval", "nodes_removal_kind"),
        AddConstraintNotValid(
            "noderemoval", models.CheckConstraint(condition=Q(kind__in=KINDS), name="nodes_removal_kind")
        ),
    ]
