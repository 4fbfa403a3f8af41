from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Lists of instances are read in this order."""

    atomic = False

    dependencies = [("compute", "0003_labels_of_keys_and_groups")]

    operations = [
        AddIndexConcurrently(
            "instance",
            models.Index(
                fields=["project", "created_at", "id"],
                condition=~models.Q(state="deleted"),
                name="compute_instance_by_age",
            ),
        )
    ]
