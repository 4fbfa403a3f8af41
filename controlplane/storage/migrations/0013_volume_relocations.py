from django.db import migrations, models


class Migration(migrations.Migration):
    """Volumes that are relocated to another zone."""

    dependencies = [
        ('catalog', '0012_volume_type_binding'),
        ('storage', '0012_unbound_volumes'),
    ]

    operations = [
        migrations.AddField(
            model_name='volumemove',
            name='requested_zone',
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=models.deletion.PROTECT,
                related_name='+',
                to='catalog.zone',
            ),
        ),
    ]
