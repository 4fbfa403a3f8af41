"""The field for the encrypted Terraform state is named encrypted_content. The database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("terraform", "0002_state_mib")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameField("terraformstateversion", "sealed", "encrypted_content"),
                migrations.AlterField("terraformstateversion", "encrypted_content", models.BinaryField(db_column="sealed")),
            ]
        )
    ]
