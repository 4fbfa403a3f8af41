"""AuditRecord is named AuditEntry. Its table keeps its name."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("audit", "0011_deeds_of_organizations")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("AuditRecord", "AuditEntry"),
                migrations.AlterModelTable("auditentry", "audit_auditrecord"),
            ]
        )
    ]
