from django.db import migrations, models


class Migration(migrations.Migration):
    """Root volumes that are deleted with their instance."""

    dependencies = [
        ('compute', '0016_guest_agent'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='keep_root_volume',
            field=models.BooleanField(null=True),
        ),
    ]
