"""Receipts of storage agents, and the keys that sign them."""

import django.db.models.deletion
from django.db import migrations, models

import controlplane.kernel.clock
import controlplane.kernel.ids


class Migration(migrations.Migration):
    dependencies = [("storage_clusters", "0005_capabilities")]
    operations = [
        migrations.AddField(
            "storagecluster", "public_key", models.CharField(blank=True, db_default="", default="", max_length=400)
        ),
        migrations.CreateModel(
            name="StorageReceipt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("number", models.PositiveBigIntegerField()),
                ("jti", models.UUIDField(null=True)),
                ("document", models.BinaryField()),
                ("is_genuine", models.BooleanField()),
                (
                    "cluster",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="receipts",
                        to="storage_clusters.storagecluster",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("cluster", "number"), name="storage_clusters_receipt_once")
                ],
            },
        ),
    ]
