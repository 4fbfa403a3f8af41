"""By which organization a name in the file of OpenID providers is meant."""

import django.db.models.deletion
from django.db import migrations, models

import controlplane.kernel.clock
import controlplane.kernel.ids


class Migration(migrations.Migration):
    dependencies = [("identity", "0006_users_end"), ("signin", "0004_password_resets")]
    operations = [
        migrations.CreateModel(
            name="NamedOrganization",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("provider", models.CharField(max_length=63)),
                ("name", models.CharField(max_length=63)),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="identity.organization"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["provider", "name"], name="signin_named_organization_once")
                ]
            },
        )
    ]
