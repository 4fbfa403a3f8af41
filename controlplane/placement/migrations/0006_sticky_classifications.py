"""What data is classified as never shrinks, whoever writes it; a decision for less than that admits no allocation; and a
proposal says which version it would replace."""

from django.db import migrations, models
from django.db.models import Q

FORWARD = """
CREATE FUNCTION placement_sticky_binding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.resource_id, NEW.kind, NEW.project_id) <> (OLD.resource_id, OLD.kind, OLD.project_id)
       OR NOT NEW.classifications @> OLD.classifications THEN
        RAISE EXCEPTION 'what % is classified as can only grow', OLD.resource_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER placement_sticky_binding BEFORE UPDATE OR DELETE ON placement_binding
    FOR EACH ROW EXECUTE FUNCTION placement_sticky_binding();

CREATE FUNCTION placement_decision_covers_binding() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found_classifications text[];
BEGIN
    SELECT classifications INTO found_classifications FROM placement_binding
        WHERE resource_id = NEW.consumer_id FOR SHARE;
    IF NOT found_classifications::text[]
       <@ (SELECT classifications::text[] FROM placement_decision WHERE id = NEW.decision_id) THEN
        RAISE EXCEPTION 'STALE_POLICY: the data has been classified since' USING ERRCODE = 'AN001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER placement_decision_covers_binding BEFORE INSERT OR UPDATE OF decision_id ON placement_allocation
    FOR EACH ROW EXECUTE FUNCTION placement_decision_covers_binding();
"""
BACKWARD = """
DROP TRIGGER placement_decision_covers_binding ON placement_allocation;
DROP FUNCTION placement_decision_covers_binding();
DROP TRIGGER placement_sticky_binding ON placement_binding;
DROP FUNCTION placement_sticky_binding();
"""


class Migration(migrations.Migration):
    dependencies = [("placement", "0005_exemption"), ("identity", "0002_duties")]
    operations = [
        migrations.AddField("policyproposal", "base_version", models.PositiveIntegerField(default=0), False),
        migrations.AddField("policyproposal", "change", models.CharField(default="looser", max_length=16), False),
        migrations.AlterField("policyproposal", "reason", models.CharField(blank=True, max_length=500)),
        migrations.AddConstraint(
            "policyproposal",
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "applied"])
                | Q(approved_by__isnull=False, not_before__isnull=False),
                name="placement_proposal_agreed_has_second_person",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
