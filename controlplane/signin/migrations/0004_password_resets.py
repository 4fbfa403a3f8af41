"""Resets of passwords take two people, and their links wait."""

import controlplane.kernel.clock
import controlplane.kernel.ids
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0004_versions"),
        ("signin", "0003_passkeys"),
    ]

    operations = [
        migrations.AddField(
            model_name="passwordlink",
            name="good_from",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="passwordlink",
            name="is_first",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.CreateModel(
            name="PasswordReset",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("good_from", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField()),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="identity.user"
                    ),
                ),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="identity.user"
                    ),
                ),
                ("user", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, to="identity.user")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("confirmed_by", None),
                            models.Q(
                                models.Q(("confirmed_by", models.F("asked_by")), _negated=True),
                                models.Q(("confirmed_by", models.F("user")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="signin_reset_two_people",
                    )
                ],
            },
        ),
    ]
