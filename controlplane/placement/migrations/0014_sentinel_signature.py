"""The field for the sentinel's signature is named sentinel_signature. The database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("placement", "0013_undo_of_policies")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("permit", "cosignature", "sentinel_signature"),
                migrations.AlterField("permit", "sentinel_signature", models.BinaryField(db_column="cosignature", null=True)),
            ]
        )
    ]
