from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("compute", "0011_encrypted_user_data")]

    operations = [
        migrations.AddField(
            model_name="instance",
            name="metadata",
            field=models.CharField(db_default="token", default="token", max_length=8),
        ),
        AddConstraintNotValid(
            model_name="instance",
            constraint=models.CheckConstraint(
                condition=models.Q(("metadata__in", ("token", "open", "off"))), name="compute_instance_metadata"
            ),
        ),
    ]
