"""A deed about an organization, and about none of its projects, names the organization."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0010_audit_kind")]
    operations = [
        migrations.AddField("auditrecord", "organization_id", models.UUIDField(null=True)),
        AddIndexConcurrently(
            "auditrecord",
            models.Index(
                fields=["organization_id", "created_at"],
                condition=models.Q(organization_id__isnull=False),
                name="audit_record_organization",
            ),
        ),
    ]
