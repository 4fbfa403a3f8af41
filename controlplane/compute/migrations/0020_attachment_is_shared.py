from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("compute", "0019_relocation_valid"),
        ("storage", "0014_multi_attach"),
    ]

    operations = [
        migrations.AddField(
            model_name="attachment",
            name="is_shared",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
