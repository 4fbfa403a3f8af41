"""What is used of a node is the sum of its allocations: kept by this trigger in the transaction of every change, whoever
makes it, with the inventory's CHECK constraints as the last word against overselling."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION placement_count_allocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        UPDATE nodes_inventory SET
            vcpus_used = vcpus_used - OLD.vcpus,
            memory_mib_used = memory_mib_used - OLD.memory_mib,
            disk_gib_used = disk_gib_used - OLD.disk_gib,
            generation = generation + 1
        WHERE node_id = OLD.node_id;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        UPDATE nodes_inventory SET
            vcpus_used = vcpus_used + NEW.vcpus,
            memory_mib_used = memory_mib_used + NEW.memory_mib,
            disk_gib_used = disk_gib_used + NEW.disk_gib,
            generation = generation + 1
        WHERE node_id = NEW.node_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'node % has no inventory', NEW.node_id USING ERRCODE = 'foreign_key_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER placement_count_allocation AFTER INSERT OR UPDATE OR DELETE ON placement_allocation
    FOR EACH ROW EXECUTE FUNCTION placement_count_allocation();
"""
BACKWARD = "DROP TRIGGER placement_count_allocation ON placement_allocation; DROP FUNCTION placement_count_allocation();"


class Migration(migrations.Migration):
    dependencies = [("placement", "0001_initial"), ("nodes", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
