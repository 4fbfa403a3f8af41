"""A place that a move holds for somebody else: the decision that it rests on is about that one, and so are the
classifications that it has to cover. Who arrives takes nothing more than what was decided for the move."""

from django.db import migrations, models
from django.db.models import Q

FRESH = """
CREATE OR REPLACE FUNCTION placement_fresh_decision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    d placement_decision%ROWTYPE;
    found_version bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.decision_id, NEW.node_id, {new}, NEW.project_id)
       = (OLD.decision_id, OLD.node_id, {old}, OLD.project_id)
       AND NEW.vcpus <= OLD.vcpus AND NEW.memory_mib <= OLD.memory_mib AND NEW.disk_gib <= OLD.disk_gib THEN
        RETURN NEW;  -- takes nothing more
    END IF;
    SELECT * INTO STRICT d FROM placement_decision WHERE id = NEW.decision_id;
    IF NOT d.is_admitted OR d.consumer_id <> {new} OR d.project_id <> NEW.project_id
       OR NOT (SELECT zone_id = ANY (d.admitted_zones) FROM nodes_node WHERE id = NEW.node_id) THEN
        RAISE EXCEPTION 'decision % does not admit this allocation', d.id USING ERRCODE = 'AN003';
    END IF;
    SELECT version INTO found_version FROM placement_policyhead WHERE organization_id IS NULL FOR SHARE;
    IF found_version IS DISTINCT FROM d.platform_version THEN
        RAISE EXCEPTION 'STALE_POLICY: the platform''s policies have changed' USING ERRCODE = 'AN001';
    END IF;
    SELECT head.version INTO found_version FROM placement_policyhead AS head
        JOIN identity_project AS project ON project.organization_id = head.organization_id
        WHERE project.id = d.project_id FOR SHARE OF head;
    IF found_version IS DISTINCT FROM d.organization_version THEN
        RAISE EXCEPTION 'STALE_POLICY: the organization''s policies have changed' USING ERRCODE = 'AN001';
    END IF;
    SELECT value INTO found_version FROM catalog_factsepoch WHERE id = 1 FOR SHARE;
    IF found_version IS DISTINCT FROM d.facts_epoch OR clock_timestamp() >= d.valid_until THEN
        RAISE EXCEPTION 'STALE_FACTS: the facts have changed' USING ERRCODE = 'AN002';
    END IF;
    RETURN NEW;
END $$;
"""
COVERS = """
CREATE OR REPLACE FUNCTION placement_decision_covers_binding() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found_classifications text[];
BEGIN
    SELECT classifications INTO found_classifications FROM placement_binding
        WHERE resource_id = {new} FOR SHARE;
    IF NOT found_classifications::text[]
       <@ (SELECT classifications::text[] FROM placement_decision WHERE id = NEW.decision_id) THEN
        RAISE EXCEPTION 'STALE_POLICY: the data has been classified since' USING ERRCODE = 'AN001';
    END IF;
    RETURN NEW;
END $$;
"""


def _about(consumer: str) -> str:
    names = {which.lower(): consumer.format(which) for which in ("NEW", "OLD")}
    return FRESH.format(**names) + COVERS.format(**names)


class Migration(migrations.Migration):
    dependencies = [("placement", "0010_head_of_every_organization")]
    operations = [
        migrations.AddField("allocation", "moving_id", models.UUIDField(null=True)),
        migrations.AddIndex(
            "allocation",
            models.Index(
                fields=["moving_id"], condition=Q(moving_id__isnull=False), name="placement_allocation_moving"
            ),
        ),
        migrations.RunSQL(_about("COALESCE({0}.moving_id, {0}.consumer_id)"), _about("{0}.consumer_id")),
    ]
