"""The admin state of nodes and other fields get new names. The database does not change."""

from django.db import migrations, models

from controlplane.kernel import clock

MOVES = {
    "cordoned": frozenset(["draining", "fenced", "in-service", "maintenance", "retired"]),
    "draining": frozenset(["cordoned", "fenced", "maintenance"]),
    "fenced": frozenset(["maintenance", "retired"]),
    "in-service": frozenset(["cordoned", "draining", "fenced", "maintenance", "retired"]),
    "maintenance": frozenset(["fenced", "in-service", "retired"]),
    "retired": frozenset(),
}


class Migration(migrations.Migration):
    dependencies = [("nodes", "0015_lease_said_at")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint("node", "nodes_node_name_taken"),
                migrations.RemoveConstraint("node", "nodes_node_duty"),
                migrations.RemoveConstraint("node", "nodes_node_fenced_with_evidence"),
                migrations.RemoveConstraint("orphan", "nodes_orphan_wish"),
                migrations.RenameField("node", "duty", "admin_state"),
                migrations.AlterField("node", "admin_state", models.CharField(db_column="duty", default="in-service", max_length=16)),
                migrations.RenameField("node", "duty_reason", "admin_state_reason"),
                migrations.AlterField("node", "admin_state_reason", models.CharField(blank=True, db_column="duty_reason", max_length=200)),
                migrations.RenameField("node", "duty_since", "admin_state_since"),
                migrations.AlterField("node", "admin_state_since", models.DateTimeField(db_column="duty_since", default=clock.now)),
                migrations.RenameField("node", "lease_said_at_ms", "lease_reported_at_ms"),
                migrations.AlterField("node", "lease_reported_at_ms", models.PositiveBigIntegerField(db_column="lease_said_at_ms", db_default=0, default=0)),
                migrations.RenameField("bmc", "sealed_password", "encrypted_password"),
                migrations.AlterField("bmc", "encrypted_password", models.BinaryField(db_column="sealed_password")),
                migrations.RenameField("orphan", "wished", "requested_action"),
                migrations.AlterField("orphan", "requested_action", models.CharField(blank=True, db_column="wished", max_length=8)),
                migrations.AlterField("node", "is_cordoned", models.GeneratedField(db_persist=True, expression=models.ExpressionWrapper(~models.Q(admin_state="in-service"), output_field=models.BooleanField()), output_field=models.BooleanField())),
                migrations.AddConstraint("node", models.UniqueConstraint(condition=~models.Q(admin_state="retired"), fields=("name",), name="nodes_node_name_taken")),
                migrations.AddConstraint("node", models.CheckConstraint(condition=models.Q(admin_state__in=MOVES), name="nodes_node_duty")),
                migrations.AddConstraint("node", models.CheckConstraint(condition=~models.Q(admin_state="fenced") | models.Q(fenced_by__isnull=False), name="nodes_node_fenced_with_evidence")),
                migrations.AddConstraint("orphan", models.CheckConstraint(condition=models.Q(requested_action__in=("", "release", "discard")), name="nodes_orphan_wish")),
            ]
        )
    ]
