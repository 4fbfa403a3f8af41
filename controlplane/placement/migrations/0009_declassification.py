"""What data is classified as, and its lineage, go only with a proposal of two people that is due."""

import django.contrib.postgres.fields
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION placement_may_lose(lost_by uuid, names text[], entries uuid[]) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (
        SELECT FROM placement_policyproposal
        WHERE level = 'resource' AND state = 'approved' AND not_before <= clock_timestamp() AND resource_id = lost_by
          AND names <@ classifications::text[] AND entries <@ lineage_ids
    )
$$;

CREATE OR REPLACE FUNCTION placement_sticky_binding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.resource_id, NEW.kind, NEW.project_id) <> (OLD.resource_id, OLD.kind, OLD.project_id)
       OR NOT (NEW.classifications @> OLD.classifications OR placement_may_lose(OLD.resource_id, ARRAY(
           SELECT unnest(OLD.classifications)::text EXCEPT SELECT unnest(NEW.classifications)::text), '{}')) THEN
        RAISE EXCEPTION 'what % is classified as can only grow', OLD.resource_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION placement_lasting_lineage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND placement_may_lose(OLD.resource_id, '{}', ARRAY[OLD.id]) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER placement_lineage_append_only ON placement_lineage;
CREATE TRIGGER placement_lineage_append_only BEFORE UPDATE OR DELETE ON placement_lineage
    FOR EACH ROW EXECUTE FUNCTION placement_lasting_lineage();
"""
BACKWARD = """
DROP TRIGGER placement_lineage_append_only ON placement_lineage;
CREATE TRIGGER placement_lineage_append_only BEFORE UPDATE OR DELETE ON placement_lineage
    FOR EACH ROW EXECUTE FUNCTION placement_append_only();
DROP FUNCTION placement_lasting_lineage();
CREATE OR REPLACE FUNCTION placement_sticky_binding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.resource_id, NEW.kind, NEW.project_id) <> (OLD.resource_id, OLD.kind, OLD.project_id)
       OR NOT NEW.classifications @> OLD.classifications THEN
        RAISE EXCEPTION 'what % is classified as can only grow', OLD.resource_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
DROP FUNCTION placement_may_lose(uuid, text[], uuid[]);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0002_duties'),
        ('placement', '0008_exemption_use'),
    ]

    operations = [
        migrations.AddField(
            model_name='policyproposal',
            name='classifications',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.SlugField(max_length=63), default=list, size=None),
        ),
        migrations.AddField(
            model_name='policyproposal',
            name='lineage_ids',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None),
        ),
        migrations.AddField(
            model_name='policyproposal',
            name='resource_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddConstraint(
            model_name='policyproposal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('level', 'resource'), ('project__isnull', False), ('resource_id__isnull', False)), models.Q(models.Q(('level', 'resource'), _negated=True), ('classifications', []), ('lineage_ids', []), ('resource_id', None)), _connector='OR'), name='placement_proposal_about_resource'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
