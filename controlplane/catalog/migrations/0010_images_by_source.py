from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """A deletion of a volume or a snapshot looks for the images that are being made of it."""

    atomic = False

    dependencies = [("catalog", "0009_image_sources")]

    operations = [
        ValidateConstraint("image", "catalog_image_source_is_whole"),
        AddIndexConcurrently(
            "image",
            models.Index(
                fields=["source_id"],
                condition=Q(state="importing", source_id__isnull=False),
                name="catalog_image_of_data",
            ),
        ),
    ]
