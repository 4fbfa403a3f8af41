from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("catalog", "0013_multi_attach"),
    ]

    operations = [
        ValidateConstraint(model_name="volumetype", name="catalog_volumetype_multi_attach_is_in_pool"),
    ]
