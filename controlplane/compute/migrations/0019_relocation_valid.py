from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ('compute', '0018_relocation'),
    ]

    operations = [
        ValidateConstraint(model_name='migration', name='compute_migration_kind'),
        ValidateConstraint(model_name='migration', name='compute_migration_requested_zone'),
    ]
