"""What a record said is erased only with an erasure that names it, and a mark says how far a stream has come."""

from django.db import migrations, models

KINDS = (
    "decision permit receipt fact policy_version exemption drift erasure admin_session key_release node trust incident mark"
).split()
CHOICES = [(kind, kind.replace("_", " ").title()) for kind in KINDS]

# Whoever gives records their places takes what is committed: an erasure without one is of this very transaction, or was
# committed a moment ago. Erasures themselves, and marks, are never erased.
GUARD = r"""
CREATE OR REPLACE FUNCTION audit_evidence_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed audit_evidencerecord;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.leaf_index IS NULL AND NEW.document IS NOT NULL THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        allowed := OLD;
        IF OLD.leaf_index IS NULL AND NEW.leaf_index IS NOT NULL THEN
            allowed.leaf_index := NEW.leaf_index;
            allowed.stream_seq := NEW.stream_seq;
            allowed.leaf_hash := NEW.leaf_hash;
        ELSIF OLD.document IS NOT NULL AND NEW.document IS NULL {condition} THEN
            allowed.document := NULL;
            allowed.salt := NULL;
        END IF;
        IF NEW IS NOT DISTINCT FROM allowed THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'evidence is append-only' USING ERRCODE = 'restrict_violation';
END $$;
"""
CONDITION = """AND OLD.kind NOT IN ('erasure', 'mark') AND EXISTS (
            SELECT FROM audit_evidencerecord AS erasure,
                jsonb_array_elements(erasure.document::jsonb #> '{document,records}') AS run
            WHERE erasure.leaf_index IS NULL AND erasure.kind = 'erasure'
                AND erasure.document::jsonb #>> '{document,stream}' = OLD.stream
                AND OLD.stream_seq BETWEEN (run ->> 0)::bigint AND (run ->> 1)::bigint
        )"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_exports")]
    operations = [
        migrations.AlterField("evidencerecord", "kind", models.CharField(choices=CHOICES, max_length=16)),
        migrations.RemoveConstraint("evidencerecord", "audit_evidence_kind"),
        migrations.AddConstraint(
            "evidencerecord",
            models.CheckConstraint(condition=models.Q(kind__in=KINDS), name="audit_evidence_kind"),
        ),
        migrations.RunSQL(
            GUARD.replace("{condition}", CONDITION),
            GUARD.replace("{condition}", ""),
        ),
    ]
