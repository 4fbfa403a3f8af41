"""When volumes of a type get their place: at their creation, as in the previous release, or at their first use."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("catalog", "0011_flavors_without_disk")]
    operations = [
        migrations.AddField(
            "volumetype", "binding", models.CharField(db_default="immediate", default="immediate", max_length=16)
        ),
        AddConstraintNotValid(
            "volumetype",
            models.CheckConstraint(
                condition=Q(binding__in=("immediate", "first_use")), name="catalog_volumetype_binding"
            ),
        ),
    ]
