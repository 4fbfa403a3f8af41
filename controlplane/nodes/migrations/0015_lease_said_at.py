"""When a node said what is on record of its lease: an older heartbeat is never written over a newer one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("nodes", "0014_drain_options")]
    operations = [
        migrations.AddField(
            "node", "lease_boot_id", models.CharField(blank=True, db_default="", default="", max_length=64)
        ),
        migrations.AddField("node", "lease_said_at_ms", models.PositiveBigIntegerField(db_default=0, default=0)),
    ]
