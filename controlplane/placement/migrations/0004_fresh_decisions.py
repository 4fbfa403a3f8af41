"""No allocation rests on a decision that is stale, refused, lapsed, of another resource or of another place, whoever
writes it. The SHARE locks make whoever changes policies or facts wait for the end of this transaction, and this one wait
for theirs."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION placement_fresh_decision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    d placement_decision%ROWTYPE;
    found_version bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.decision_id, NEW.node_id, NEW.consumer_id, NEW.project_id)
       = (OLD.decision_id, OLD.node_id, OLD.consumer_id, OLD.project_id)
       AND NEW.vcpus <= OLD.vcpus AND NEW.memory_mib <= OLD.memory_mib AND NEW.disk_gib <= OLD.disk_gib THEN
        RETURN NEW;  -- takes nothing more
    END IF;
    SELECT * INTO STRICT d FROM placement_decision WHERE id = NEW.decision_id;
    IF NOT d.is_admitted OR d.consumer_id <> NEW.consumer_id OR d.project_id <> NEW.project_id
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
CREATE TRIGGER placement_fresh_decision BEFORE INSERT OR UPDATE ON placement_allocation
    FOR EACH ROW EXECUTE FUNCTION placement_fresh_decision();
"""
BACKWARD = """
DROP TRIGGER placement_fresh_decision ON placement_allocation;
DROP FUNCTION placement_fresh_decision();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("placement", "0003_policies_and_lineage"),
        ("catalog", "0002_facts_epoch"),
        ("identity", "0001_initial"),
        ("nodes", "0001_initial"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
