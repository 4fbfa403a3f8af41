"""The fields for the clauses of a policy are named clauses. The database does not change."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("placement", "0014_sentinel_signature")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                operation
                for model in ("policyversion", "policyproposal")
                for operation in (
                    migrations.RenameField(model, "atoms", "clauses"),
                    migrations.AlterField(model, "clauses", models.JSONField(db_column="atoms")),
                )
            ]
        )
    ]
