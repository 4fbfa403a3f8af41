"""OperationHold is named ResourceLock, and two fields of operations get new names. The database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("operations", "0008_lane")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("OperationHold", "ResourceLock"),
                migrations.AlterModelTable("resourcelock", "operations_operationhold"),
                migrations.RemoveIndex("operation", "operations_by_turn"),
                migrations.RenameField("operation", "lane", "queue"),
                migrations.AlterField(
                    "operation",
                    "queue",
                    models.CharField(db_column="lane", db_default="operations", default="operations", max_length=16),
                ),
                migrations.AddIndex(
                    "operation",
                    models.Index(
                        condition=models.Q(("state__in", ("pending", "running", "undoing"))),
                        fields=["queue", "project", "due_at"],
                        name="operations_by_turn",
                    ),
                ),
                migrations.RenameField("operation", "given_up_node_id", "abandoned_node_id"),
                migrations.AlterField(
                    "operation", "abandoned_node_id", models.UUIDField(db_column="given_up_node_id", null=True)
                ),
            ]
        )
    ]
