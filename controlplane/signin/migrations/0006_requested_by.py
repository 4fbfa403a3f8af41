"""Fields are named requested_by and valid_from. The database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signin", "0005_named_organizations")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint("passwordreset", "signin_reset_two_people"),
                migrations.RenameField("passwordlink", "good_from", "valid_from"),
                migrations.AlterField("passwordlink", "valid_from", models.DateTimeField(db_column="good_from", null=True)),
                migrations.RenameField("passwordreset", "good_from", "valid_from"),
                migrations.AlterField("passwordreset", "valid_from", models.DateTimeField(db_column="good_from", null=True)),
                migrations.RenameField("passwordreset", "asked_by", "requested_by"),
                migrations.AlterField("passwordreset", "requested_by", models.ForeignKey(db_column="asked_by_id", on_delete=models.deletion.CASCADE, related_name="+", to="identity.user")),
                migrations.AddConstraint("passwordreset", models.CheckConstraint(condition=models.Q(confirmed_by=None) | (~models.Q(confirmed_by=models.F("requested_by")) & ~models.Q(confirmed_by=models.F("user"))), name="signin_reset_two_people")),
            ]
        )
    ]
