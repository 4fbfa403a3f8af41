"""The one row of the facts epoch."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "INSERT INTO catalog_factsepoch (id, value) VALUES (1, 1)", "DELETE FROM catalog_factsepoch WHERE id = 1"
        )
    ]
