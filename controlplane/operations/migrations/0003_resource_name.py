from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('operations', '0002_by_age'),
    ]

    operations = [
        migrations.AddField(
            model_name='operation',
            name='resource_name',
            field=models.CharField(blank=True, max_length=63),
        ),
    ]
