"""Fields are named encrypted_user_data and requested_destination. The database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("compute", "0010_sealed_user_data")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("instance", "sealed_user_data", "encrypted_user_data"),
                migrations.AlterField("instance", "encrypted_user_data", models.BinaryField(db_column="sealed_user_data", null=True)),
                migrations.RenameField("rebuild", "sealed_user_data", "encrypted_user_data"),
                migrations.AlterField("rebuild", "encrypted_user_data", models.BinaryField(db_column="sealed_user_data", null=True)),
                migrations.RenameField("migration", "wished", "requested_destination"),
                migrations.AlterField("migration", "requested_destination", models.ForeignKey(db_column="wished_id", null=True, on_delete=models.deletion.PROTECT, related_name="+", to="nodes.node")),
            ]
        )
    ]
