"""What a claim adds up, in one index. Made without keeping writers away."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("quotas", "0002_organizations_and_requests")]
    operations = [
        AddIndexConcurrently(
            "quotause",
            models.Index(fields=["project", "dimension"], include=("resource_id", "amount"), name="quotas_use_sum"),
        ),
    ]
