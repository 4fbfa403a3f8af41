"""Facts are only ever superseded, officer keys only ever revoked, each once; and of an attribute one thing was believed
about one moment at any time."""

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION catalog_fact_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed catalog_fact;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.superseded_at IS NULL AND NEW.superseded_at > OLD.created_at THEN
        allowed := OLD;
        allowed.superseded_at := NEW.superseded_at;
        allowed.updated_at := NEW.updated_at;
        IF NEW IS NOT DISTINCT FROM allowed THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'facts are append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER catalog_fact_guard BEFORE UPDATE OR DELETE ON catalog_fact
    FOR EACH ROW EXECUTE FUNCTION catalog_fact_guard();

CREATE FUNCTION catalog_officerkey_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed catalog_officerkey;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL THEN
        allowed := OLD;
        allowed.revoked_at := NEW.revoked_at;
        allowed.updated_at := NEW.updated_at;
        IF NEW IS NOT DISTINCT FROM allowed THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'officer keys are append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER catalog_officerkey_guard BEFORE UPDATE OR DELETE ON catalog_officerkey
    FOR EACH ROW EXECUTE FUNCTION catalog_officerkey_guard();
"""
BACKWARD = """
DROP TRIGGER catalog_officerkey_guard ON catalog_officerkey;
DROP FUNCTION catalog_officerkey_guard();
DROP TRIGGER catalog_fact_guard ON catalog_fact;
DROP FUNCTION catalog_fact_guard();
"""


def ranged(start: str, end: str) -> models.Func:
    output = django.contrib.postgres.fields.ranges.DateTimeRangeField()
    return models.Func(start, end, function="TSTZRANGE", output_field=output)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_facts_epoch")]
    operations = [
        migrations.RemoveConstraint(model_name="fact", name="catalog_fact_one_belief"),
        migrations.AddConstraint(
            model_name="fact",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    ("subject_kind", "="),
                    ("subject_id", "="),
                    ("attribute", "="),
                    (ranged("valid_from", "valid_to"), "&&"),
                    (ranged("created_at", "superseded_at"), "&&"),
                ],
                name="catalog_fact_one_belief",
            ),
        ),
        migrations.AddIndex(
            model_name="fact",
            index=models.Index(
                condition=models.Q(("superseded_at__isnull", True)),
                fields=["subject_kind", "subject_id"],
                name="catalog_fact_believed",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
