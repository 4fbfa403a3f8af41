"""Flavors without a root disk. The previous release reads them as flavors that are too small for every image."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("catalog", "0010_images_by_source")]
    operations = [
        migrations.RemoveConstraint("flavor", "catalog_flavor_has_size"),
        AddConstraintNotValid(
            "flavor",
            models.CheckConstraint(
                condition=Q(vcpus__gte=1, memory_mib__gte=64, disk_gib__gte=0), name="catalog_flavor_has_size"
            ),
        ),
    ]
