from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Lists of volumes are read in this order."""

    atomic = False

    dependencies = [("storage", "0001_initial")]

    operations = [
        AddIndexConcurrently(
            "volume",
            models.Index(
                fields=["project", "created_at", "id"],
                condition=~models.Q(state="deleted"),
                name="storage_volume_by_age",
            ),
        )
    ]
