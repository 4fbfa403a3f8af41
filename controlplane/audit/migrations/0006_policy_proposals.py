"""Steps of policy proposals are evidence. The new CHECK is validated without keeping writers away."""

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('audit', '0005_exports'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='evidencerecord',
            name='audit_evidence_kind',
        ),
        migrations.AlterField(
            model_name='evidencerecord',
            name='kind',
            field=models.CharField(choices=[('decision', 'Decision'), ('permit', 'Permit'), ('receipt', 'Receipt'), ('fact', 'Fact'), ('policy_version', 'Policy Version'), ('policy_proposal', 'Policy Proposal'), ('exemption', 'Exemption'), ('drift', 'Drift'), ('erasure', 'Erasure'), ('admin_session', 'Admin Session'), ('key_release', 'Key Release'), ('node', 'Node'), ('trust', 'Trust'), ('incident', 'Incident')], max_length=16),
        ),
        AddConstraintNotValid(
            model_name='evidencerecord',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['decision', 'permit', 'receipt', 'fact', 'policy_version', 'policy_proposal', 'exemption', 'drift', 'erasure', 'admin_session', 'key_release', 'node', 'trust', 'incident'])), name='audit_evidence_kind'),
        ),
        ValidateConstraint(model_name='evidencerecord', name='audit_evidence_kind'),
    ]
