from django.db import migrations, models


class Migration(migrations.Migration):
    """Snapshots of an instance's disks that are taken at one moment form a group."""

    dependencies = [("storage", "0007_volumes_by_snapshot")]

    operations = [
        migrations.AddField("snapshot", "group", models.UUIDField(null=True)),
        migrations.AddField("snapshot", "instance_id", models.UUIDField(null=True)),
    ]
