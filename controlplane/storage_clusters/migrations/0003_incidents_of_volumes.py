"""Incidents of volumes in a cluster: several of a kind at once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    borne_because = {
        "ADD_UNIQUE": "it allows more than the one that it replaces",
        "CREATE_INDEX": "the table of incidents is small, so the index takes milliseconds",
        "DROP_INDEX": "the constraint is replaced by one that allows more; the table of incidents is small",
    }

    dependencies = [("storage_clusters", "0002_images")]
    operations = [
        migrations.RemoveConstraint("storageclusterincident", "storage_clusters_incident_once_at_a_time"),
        migrations.AddField(
            "storageclusterincident",
            "name",
            models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AddConstraint(
            "storageclusterincident",
            models.UniqueConstraint(
                condition=models.Q(ended_at=None),
                fields=("cluster", "kind", "name"),
                name="storage_clusters_incident_once_each",
            ),
        ),
    ]
