import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Instances that boot from a volume."""

    dependencies = [
        ('compute', '0013_metadata_document'),
        ('storage', '0004_pools'),
    ]

    operations = [
        migrations.AddField(
            model_name='attachment',
            name='is_boot',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='instance',
            name='boot_volume',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='storage.volume'),
        ),
    ]
