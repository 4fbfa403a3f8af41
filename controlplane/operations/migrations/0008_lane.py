"""Operations get a lane, and the index by which a worker finds the next one of each project."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("operations", "0007_given_up_node")]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="lane",
            field=models.CharField(db_default="operations", default="operations", max_length=16),
        ),
        AddIndexConcurrently(
            model_name="operation",
            index=models.Index(
                condition=models.Q(("state__in", ("pending", "running", "undoing"))),
                fields=["lane", "project", "due_at"],
                name="operations_by_turn",
            ),
        ),
    ]
