"""The time of the last observation of an incident or an orphan is named observed_at. The database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("nodes", "0016_admin_state")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("incident", "seen_at", "observed_at"),
                migrations.AlterField("incident", "observed_at", models.DateTimeField(db_column="seen_at")),
                migrations.RenameField("orphan", "seen_at", "observed_at"),
                migrations.AlterField("orphan", "observed_at", models.DateTimeField(db_column="seen_at")),
            ]
        )
    ]
