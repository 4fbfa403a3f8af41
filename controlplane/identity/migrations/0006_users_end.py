"""A user can be suspended and can end, and says when they last signed in. An invitation says whether it made its user."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("identity", "0005_issuers_of_tokens")]
    operations = [
        migrations.AddField("user", "generation", models.PositiveBigIntegerField(default=1, db_default=1)),
        migrations.AddField("user", "suspended_at", models.DateTimeField(null=True)),
        migrations.AddField("user", "ended_at", models.DateTimeField(null=True)),
        migrations.AddField("user", "last_sign_in_at", models.DateTimeField(null=True)),
        migrations.AddField("invitation", "has_made_user", models.BooleanField(default=False, db_default=False)),
        AddConstraintNotValid(
            "user",
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(is_operator=False, is_auditor=False, is_support=False),
                name="identity_user_ended_has_no_duty",
            ),
        ),
    ]
