from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_facts_append_only")]
    operations = [
        migrations.AddConstraint(
            model_name="officerkey",
            constraint=models.UniqueConstraint(fields=("public_key",), name="catalog_officer_public_key_once"),
        ),
    ]
