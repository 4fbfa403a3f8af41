from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """A deletion of a snapshot looks for the volumes that are being made from it."""

    atomic = False

    dependencies = [("storage", "0006_snapshots")]

    operations = [
        AddIndexConcurrently(
            "volume",
            models.Index(
                fields=["snapshot"], condition=models.Q(snapshot__isnull=False), name="storage_volume_by_snapshot"
            ),
        )
    ]
