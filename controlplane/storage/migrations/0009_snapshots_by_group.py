from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The workflow and the API look for the snapshots of a group."""

    atomic = False

    dependencies = [("storage", "0008_snapshot_groups")]

    operations = [
        AddIndexConcurrently(
            "snapshot",
            models.Index(
                fields=["group"], condition=models.Q(group__isnull=False), name="storage_snapshot_by_group"
            ),
        )
    ]
