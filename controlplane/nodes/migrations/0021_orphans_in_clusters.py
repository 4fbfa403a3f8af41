"""Orphans in pools of storage clusters, which have no node."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

LIVE = Q(state__in=("found", "quarantined", "released"))


class Migration(migrations.Migration):
    borne_because = {
        "ADD_UNIQUE": "it allows more than the one that it replaces",
        "CREATE_INDEX": "the table of orphans is small, so the index takes milliseconds",
        "DROP_INDEX": "the constraint is replaced by one that allows more; the table of orphans is small",
    }

    dependencies = [("nodes", "0020_pool_engine")]
    operations = [
        migrations.RemoveConstraint("orphan", "nodes_orphan_once_at_a_time"),
        migrations.RemoveConstraint("orphan", "nodes_orphan_has_node"),
        migrations.AddField(
            "orphan",
            "pool",
            models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, to="nodes.pool"
            ),
        ),
        migrations.AddField(
            "pool", "compared_until", models.CharField(blank=True, db_default="", default="", max_length=255)
        ),
        migrations.AddConstraint(
            "orphan",
            models.UniqueConstraint(
                condition=LIVE,
                fields=("node", "pool", "kind", "name"),
                name="nodes_orphan_once_in_a_place",
                nulls_distinct=False,
            ),
        ),
        AddConstraintNotValid(
            "orphan",
            models.CheckConstraint(
                condition=Q(kind="address") | Q(node__isnull=False, pool=None) | Q(kind="volume", pool__isnull=False),
                name="nodes_orphan_has_place",
            ),
        ),
    ]
