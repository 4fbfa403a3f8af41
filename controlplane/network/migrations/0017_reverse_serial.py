from django.db import migrations, models


class Migration(migrations.Migration):
    """Serial of the reverse zones of address pools."""

    dependencies = [
        ('network', '0016_egress_addresses'),
    ]

    operations = [
        migrations.AddField(
            model_name='addresspool',
            name='reverse_serial',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
    ]
