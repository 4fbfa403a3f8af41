"""Failed sign-ins in a table of our own.

The tables axes_* of an installation that was upgraded stay: the release before counts in them. They go a release later.
"""

from django.db import migrations, models

import controlplane.kernel.clock
import controlplane.kernel.ids


class Migration(migrations.Migration):
    dependencies = [("signin", "0006_requested_by")]
    operations = [
        migrations.CreateModel(
            name="FailureCount",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("account", models.CharField(blank=True, max_length=254)),
                ("address", models.CharField(blank=True, max_length=39)),
                ("failures", models.PositiveIntegerField(default=1)),
                ("last_at", models.DateTimeField(default=controlplane.kernel.clock.now)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["account", "address"], name="signin_failure_count_once")
                ],
                "indexes": [
                    models.Index(fields=["address"], name="signin_failure_address"),
                    models.Index(fields=["last_at"], name="signin_failure_last_at"),
                ],
            },
        )
    ]
