from django.db import migrations, models


class Migration(migrations.Migration):
    """Moves of volumes that running guests have open."""

    dependencies = [
        ('storage', '0010_volume_moves'),
    ]

    operations = [
        migrations.AddField(
            model_name='volumemove',
            name='is_online',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
