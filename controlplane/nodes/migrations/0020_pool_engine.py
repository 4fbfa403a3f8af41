"""Pools of storage clusters beside those that nodes mount."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("nodes", "0019_max_mtu"), ("storage_clusters", "0001_initial")]
    operations = [
        migrations.AddField("pool", "engine", models.CharField(db_default="folder", default="folder", max_length=8)),
        migrations.AddField(
            "pool",
            "cluster",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="pools",
                to="storage_clusters.storagecluster",
            ),
        ),
        migrations.AddField("pool", "written_gib", models.PositiveBigIntegerField(null=True)),
        migrations.AddField("pool", "replicas", models.PositiveSmallIntegerField(null=True)),
        migrations.AddField("pool", "is_reported_nearly_full", models.BooleanField(db_default=False, default=False)),
        AddConstraintNotValid(
            "pool",
            models.CheckConstraint(
                condition=Q(engine="folder", cluster=None) | Q(engine="rbd", cluster__isnull=False),
                name="nodes_pool_engine",
            ),
        ),
    ]
