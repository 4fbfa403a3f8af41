from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("operations", "0006_maintenance"),
    ]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="given_up_node_id",
            field=models.UUIDField(null=True),
        ),
    ]
