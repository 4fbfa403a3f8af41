"""Fences of dead nodes in storage clusters."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import controlplane.kernel.clock
import controlplane.kernel.ids


class Migration(migrations.Migration):
    dependencies = [("nodes", "0022_storage_addresses"), ("storage_clusters", "0003_incidents_of_volumes")]
    operations = [
        migrations.CreateModel(
            name="NodeFence",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                (
                    "addresses",
                    django.contrib.postgres.fields.ArrayField(base_field=models.GenericIPAddressField(), default=list),
                ),
                ("fenced_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=32)),
                (
                    "cluster",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="node_fences",
                        to="storage_clusters.storagecluster",
                    ),
                ),
                (
                    "node",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="storage_fences", to="nodes.node"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("cluster", "node"), name="storage_clusters_node_fence_once"),
                    models.CheckConstraint(
                        condition=Q(fenced_at=None) | Q(expires_at__isnull=False),
                        name="storage_clusters_node_fence_ends",
                    ),
                ],
            },
        ),
    ]
