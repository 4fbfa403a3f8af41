from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("operations", "0003_resource_name"),
    ]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="traceparent",
            field=models.CharField(blank=True, db_default="", default="", max_length=55),
        ),
    ]
