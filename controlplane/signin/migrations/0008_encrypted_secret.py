"""The field for the encrypted TOTP secret is named encrypted_secret. The database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signin", "0007_failure_counts")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("totp", "sealed", "encrypted_secret"),
                migrations.AlterField("totp", "encrypted_secret", models.BinaryField(db_column="sealed")),
            ]
        )
    ]
