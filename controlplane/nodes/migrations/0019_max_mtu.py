"""The largest packet of a guest that the underlay carries to and from a node."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("nodes", "0018_ipv6_address")]
    operations = [
        migrations.AddField("node", "max_mtu", models.PositiveSmallIntegerField(db_default=1500, default=1500))
    ]
