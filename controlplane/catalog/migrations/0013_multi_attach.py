from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [
        ("catalog", "0012_volume_type_binding"),
    ]

    operations = [
        migrations.AddField(
            model_name="volumetype",
            name="is_multi_attach",
            field=models.BooleanField(db_default=False, default=False),
        ),
        AddConstraintNotValid(
            model_name="volumetype",
            constraint=models.CheckConstraint(
                condition=Q(is_multi_attach=False) | (~Q(pool="") & Q(binding="immediate")),
                name="catalog_volumetype_multi_attach_is_in_pool",
            ),
        ),
    ]
