"""Addresses from which nodes reach storage clusters, and evidence that these refuse them."""

import django.contrib.postgres.fields
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("nodes", "0021_orphans_in_clusters")]
    operations = [
        migrations.AddField(
            "node",
            "storage_addresses",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.GenericIPAddressField(), db_default=[], default=list
            ),
        ),
        migrations.RemoveConstraint("fenceevidence", "nodes_fence_evidence_kind"),
        AddConstraintNotValid(
            "fenceevidence",
            models.CheckConstraint(
                condition=Q(kind__in=("power", "lease", "attestation", "storage")), name="nodes_fence_evidence_kind"
            ),
        ),
    ]
