"""Snapshots that were taken and erased are evidence. The new CHECK is validated without keeping writers away."""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models

KINDS = (
    "decision permit cosignature receipt copy fact policy_version policy_proposal exemption drift erasure admin_session"
    " key_release node trust incident mark audit"
).split()
CHOICES = [(kind, kind.replace("_", " ").title()) for kind in KINDS]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0012_audit_entry")]
    operations = [
        migrations.RemoveConstraint("evidencerecord", "audit_evidence_kind"),
        migrations.AlterField("evidencerecord", "kind", models.CharField(choices=CHOICES, max_length=16)),
        AddConstraintNotValid(
            "evidencerecord",
            models.CheckConstraint(condition=models.Q(kind__in=KINDS), name="audit_evidence_kind"),
        ),
        ValidateConstraint("evidencerecord", "audit_evidence_kind"),
    ]
