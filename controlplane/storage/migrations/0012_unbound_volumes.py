"""Volumes that are available without a place, until their first use. The previous release makes none."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("storage", "0011_online_moves"), ("catalog", "0012_volume_type_binding")]
    operations = [
        migrations.AddField("volume", "is_unbound", models.BooleanField(db_default=False, default=False)),
        migrations.RemoveConstraint("volume", "storage_volume_usable_has_node"),
        AddConstraintNotValid(
            "volume",
            models.CheckConstraint(
                condition=~Q(state__in=["available", "in-use"])
                | Q(node__isnull=False)
                | Q(state="available", is_unbound=True),
                name="storage_volume_usable_has_node",
            ),
        ),
    ]
