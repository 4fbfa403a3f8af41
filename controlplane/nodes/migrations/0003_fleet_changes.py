"""Which nodes changed since somebody last looked, in a way that matters to placement.

`nodes_inventory.changed_xid` is the transaction that last changed the row or, in nodes_node, one of the columns that
placement reads; a heartbeat that brings nothing new leaves it alone. A reader keeps the snapshot that it read with, and
next time reads the rows whose transaction that snapshot could not see: right whatever the order of commits.

`nodes_fleet_removal` has one row: the transaction that last removed nodes. Who sees it change reads everything anew.
"""

from django.db import migrations

FORWARD = """
ALTER TABLE nodes_inventory ADD COLUMN changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX nodes_inventory_changed_xid ON nodes_inventory (changed_xid);

CREATE FUNCTION nodes_inventory_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_xid := pg_current_xact_id();
    RETURN NEW;
END $$;
CREATE TRIGGER nodes_inventory_changed BEFORE UPDATE OF
    vcpus_total, vcpus_reserved, vcpus_ratio, vcpus_used,
    memory_mib_total, memory_mib_reserved, memory_mib_ratio, memory_mib_used,
    disk_gib_total, disk_gib_reserved, disk_gib_ratio, disk_gib_used
    ON nodes_inventory FOR EACH ROW EXECUTE FUNCTION nodes_inventory_changed();

CREATE FUNCTION nodes_node_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE nodes_inventory SET changed_xid = pg_current_xact_id() WHERE node_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER nodes_node_changed AFTER UPDATE ON nodes_node FOR EACH ROW
    WHEN ((OLD.name, OLD.zone_id, OLD.state, OLD.is_cordoned, OLD.traits)
        IS DISTINCT FROM (NEW.name, NEW.zone_id, NEW.state, NEW.is_cordoned, NEW.traits))
    EXECUTE FUNCTION nodes_node_changed();

CREATE TABLE nodes_fleet_removal (
    id smallint PRIMARY KEY CHECK (id = 1),
    removed_xid xid8 NOT NULL
);
CREATE FUNCTION nodes_inventory_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO nodes_fleet_removal VALUES (1, pg_current_xact_id())
        ON CONFLICT (id) DO UPDATE SET removed_xid = EXCLUDED.removed_xid;
    RETURN NULL;
END $$;
CREATE TRIGGER nodes_inventory_removed AFTER DELETE OR TRUNCATE ON nodes_inventory
    FOR EACH STATEMENT EXECUTE FUNCTION nodes_inventory_removed();
"""
BACKWARD = """
DROP TRIGGER nodes_inventory_removed ON nodes_inventory;
DROP TRIGGER nodes_node_changed ON nodes_node;
DROP TRIGGER nodes_inventory_changed ON nodes_inventory;
DROP FUNCTION nodes_inventory_removed(), nodes_node_changed(), nodes_inventory_changed();
DROP TABLE nodes_fleet_removal;
ALTER TABLE nodes_inventory DROP COLUMN changed_xid;
"""


class Migration(migrations.Migration):
    dependencies = [("nodes", "0002_trust_and_receipts")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
