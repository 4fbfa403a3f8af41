from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """What images of volumes and snapshots were made of."""

    dependencies = [("catalog", "0008_volume_type_limits")]

    operations = [
        migrations.AddField("image", "source_kind", models.CharField(blank=True, db_default="", default="", max_length=16)),
        migrations.AddField("image", "source_id", models.UUIDField(null=True)),
        migrations.AddField("image", "source_name", models.CharField(blank=True, db_default="", default="", max_length=63)),
        AddConstraintNotValid(
            "image",
            models.CheckConstraint(
                condition=Q(source_kind="", source_id__isnull=True)
                | Q(source_kind__in=["volume", "snapshot"], source_id__isnull=False, project__isnull=False),
                name="catalog_image_source_is_whole",
            ),
        ),
    ]
