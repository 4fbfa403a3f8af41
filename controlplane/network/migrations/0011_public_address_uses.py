import django.db.models.deletion
from django.db import migrations, models

import controlplane.kernel.clock
import controlplane.kernel.ids

# A deleted port, whichever release deletes it, detaches its addresses without a statement about them.
OF_ADDRESSES = """
CREATE FUNCTION network_publicaddress_use() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE moment timestamptz := clock_timestamp();
BEGIN
    UPDATE network_publicaddressuse SET ended_at = moment, updated_at = moment
    WHERE port_id = OLD.port_id AND address_id = OLD.id AND ended_at IS NULL;
    IF NEW.port_id IS NULL THEN
        NEW.fixed_ip := NULL;
    ELSE
        INSERT INTO network_publicaddressuse
            (id, created_at, updated_at, project_id, address_id, ip, port_id, instance_id, began_at)
        SELECT gen_random_uuid(), moment, moment, NEW.project_id, NEW.id, NEW.ip, port.id, port.instance_id, moment
        FROM network_port AS port WHERE port.id = NEW.port_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER network_publicaddress_use BEFORE UPDATE OF port_id ON network_publicaddress
FOR EACH ROW WHEN (OLD.port_id IS DISTINCT FROM NEW.port_id) EXECUTE FUNCTION network_publicaddress_use();
"""
# A port with public addresses may move to another instance.
OF_PORTS = """
CREATE FUNCTION network_port_public_use() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE moment timestamptz := clock_timestamp();
BEGIN
    UPDATE network_publicaddressuse SET ended_at = moment, updated_at = moment
    WHERE port_id = NEW.id AND ended_at IS NULL;
    INSERT INTO network_publicaddressuse
        (id, created_at, updated_at, project_id, address_id, ip, port_id, instance_id, began_at)
    SELECT gen_random_uuid(), moment, moment, address.project_id, address.id, address.ip, NEW.id, NEW.instance_id, moment
    FROM network_publicaddress AS address WHERE address.port_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER network_port_public_use AFTER UPDATE OF instance_id ON network_port
FOR EACH ROW WHEN (OLD.instance_id IS DISTINCT FROM NEW.instance_id) EXECUTE FUNCTION network_port_public_use();
"""
NOT_OF_ADDRESSES = """
DROP TRIGGER network_publicaddress_use ON network_publicaddress; DROP FUNCTION network_publicaddress_use();
"""
NOT_OF_PORTS = "DROP TRIGGER network_port_public_use ON network_port; DROP FUNCTION network_port_public_use();"


class Migration(migrations.Migration):
    """History of public addresses: which port and instance had which one when."""

    borne_because = {"ADD_UNIQUE": "the table is new in this release, so it is empty or small"}

    dependencies = [
        ("identity", "0006_users_end"),
        ("network", "0010_public_addresses"),
    ]

    operations = [
        migrations.CreateModel(
            name="PublicAddressUse",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("address_id", models.UUIDField()),
                ("ip", models.GenericIPAddressField()),
                ("port_id", models.UUIDField()),
                ("instance_id", models.UUIDField(null=True)),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "project",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="identity.project"),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["ip", "ended_at"], name="network_publicaddressuse_ip"),
                    models.Index(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=["port_id"],
                        name="network_publicaddressuse_open",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="publicaddress",
            constraint=models.UniqueConstraint(
                fields=("port", "fixed_ip"), name="network_publicaddress_translated_once"
            ),
        ),
        migrations.RunSQL(OF_ADDRESSES, NOT_OF_ADDRESSES),
        migrations.RunSQL(OF_PORTS, NOT_OF_PORTS),
    ]
