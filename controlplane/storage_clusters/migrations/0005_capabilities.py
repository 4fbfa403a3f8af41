"""Capabilities of storage agents."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("storage_clusters", "0004_node_fences")]
    operations = [
        migrations.AddField(
            "storagecluster",
            "capabilities",
            ArrayField(base_field=models.CharField(max_length=64), db_default=[], default=list),
        ),
    ]
