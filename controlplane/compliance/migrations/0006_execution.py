"""Execution of remediation plans, and the progress of their items."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

import controlplane.kernel.clock
import controlplane.kernel.ids

EXECUTION = {
    "idle": frozenset(["running"]),
    "running": frozenset(["idle", "paused"]),
    "paused": frozenset(["idle", "running"]),
}
ITEM = {
    "waiting": frozenset(["done", "moving", "stays"]),
    "moving": frozenset(["done", "stays", "waiting"]),
    "stays": frozenset(["done", "moving", "waiting"]),
    "done": frozenset(),
}


class Migration(migrations.Migration):
    dependencies = [("compliance", "0005_noticed_at")]
    operations = [
        migrations.AddField(
            "remediationplan", "execution", models.CharField(max_length=16, default="idle", db_default="idle")
        ),
        migrations.AddField("remediationplan", "executed_by", models.UUIDField(null=True)),
        migrations.AddField("remediationplan", "executed_credential_id", models.UUIDField(null=True)),
        migrations.AddField(
            "remediationplan",
            "executed_request_id",
            models.CharField(max_length=64, blank=True, default="", db_default=""),
        ),
        migrations.AddField("remediationplan", "pause_reason", models.JSONField(null=True)),
        AddConstraintNotValid(
            "remediationplan",
            models.CheckConstraint(
                condition=Q(execution__in=EXECUTION), name="compliance_plan_execution"
            ),
        ),
        migrations.CreateModel(
            "RemediationItem",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("order", models.PositiveIntegerField()),
                ("resource_id", models.UUIDField()),
                ("kind", models.CharField(max_length=16)),
                ("zone", models.CharField(max_length=63)),
                ("state", models.CharField(default="waiting", max_length=16)),
                ("reason", models.JSONField(null=True)),
                ("operation_id", models.UUIDField(null=True)),
                ("tries", models.PositiveIntegerField(default=0)),
                ("next_try_at", models.DateTimeField(null=True)),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="progress",
                        to="compliance.remediationplan",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=Q(state__in=ITEM), name="compliance_item_state"),
                    models.UniqueConstraint(fields=("plan", "order"), name="compliance_item_once"),
                ],
                "indexes": [
                    models.Index(condition=Q(state="moving"), fields=["plan"], name="compliance_items_moving"),
                ],
            },
        ),
    ]
