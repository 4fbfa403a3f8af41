from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    """NTP servers, search domains and static routes of subnets."""

    dependencies = [
        ('network', '0017_reverse_serial'),
    ]

    operations = [
        migrations.AddField(
            model_name='subnet',
            name='domain_search',
            field=ArrayField(base_field=models.CharField(max_length=253), db_default=[], default=list, size=None),
        ),
        migrations.AddField(
            model_name='subnet',
            name='ntp_servers',
            field=ArrayField(base_field=models.GenericIPAddressField(), db_default=[], default=list, size=None),
        ),
        migrations.AddField(
            model_name='subnet',
            name='static_routes',
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
    ]
