import django.db.models.deletion
from django.db import migrations, models

import controlplane.kernel.clock
import controlplane.kernel.ids

# The previous release deletes addresses, networks and nodes without these rows.
ENDS = [
    f'ALTER TABLE "network_egressaddress" ADD CONSTRAINT "network_egressaddress_{field}" FOREIGN KEY ({field}_id)'
    f" REFERENCES {table} (id) ON DELETE {action} DEFERRABLE INITIALLY DEFERRED"
    for field, table, action in (
        ("address", "network_publicaddress", "CASCADE"),
        ("network", "network_network", "CASCADE"),
        ("gateway", "nodes_node", "SET NULL"),
    )
]
# The previous release attaches an egress address to a port, since it takes the address for a detached one.
OF_PORTS = """
CREATE FUNCTION network_egressaddress_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM network_egressaddress WHERE address_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER network_egressaddress_end AFTER UPDATE OF port_id ON network_publicaddress
FOR EACH ROW WHEN (NEW.port_id IS NOT NULL) EXECUTE FUNCTION network_egressaddress_end();
"""
# As the schema's owner (see 0014): no process may write the history.
OF_NETWORKS = """
CREATE FUNCTION network_egressaddress_use() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE moment timestamptz := clock_timestamp();
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE network_publicaddressuse SET ended_at = moment, updated_at = moment
        WHERE address_id = OLD.address_id AND network_id = OLD.network_id AND ended_at IS NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO network_publicaddressuse
            (id, created_at, updated_at, project_id, address_id, ip, network_id, began_at)
        SELECT gen_random_uuid(), moment, moment, address.project_id, address.id, address.ip, NEW.network_id, moment
        FROM network_publicaddress AS address WHERE address.id = NEW.address_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER network_egressaddress_use AFTER INSERT OR DELETE OR UPDATE OF network_id ON network_egressaddress
FOR EACH ROW EXECUTE FUNCTION network_egressaddress_use();
REVOKE EXECUTE ON FUNCTION network_egressaddress_use() FROM PUBLIC;
"""
NOT_OF_PORTS = """
DROP TRIGGER network_egressaddress_end ON network_publicaddress; DROP FUNCTION network_egressaddress_end();
"""
NOT_OF_NETWORKS = """
DROP TRIGGER network_egressaddress_use ON network_egressaddress; DROP FUNCTION network_egressaddress_use();
"""


class Migration(migrations.Migration):
    """Egress addresses of networks, and their part of the history of public addresses."""

    dependencies = [
        ("catalog", "0007_image_gib"),
        ("network", "0015_released_addresses"),
        ("nodes", "0018_ipv6_address"),
    ]

    operations = [
        migrations.CreateModel(
            name="EgressAddress",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                (
                    "address",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="egress",
                        to="network.publicaddress",
                    ),
                ),
                (
                    "gateway",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="nodes.node",
                    ),
                ),
                (
                    "network",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="egress_addresses",
                        to="network.network",
                    ),
                ),
                ("zone", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="catalog.zone")),
            ],
        ),
        migrations.AddConstraint(
            model_name="egressaddress",
            constraint=models.UniqueConstraint(fields=("network", "zone"), name="network_egress_taken"),
        ),
        migrations.AddField(
            model_name="publicaddressuse",
            name="network_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AlterField(
            model_name="publicaddressuse",
            name="port_id",
            field=models.UUIDField(null=True),
        ),
        migrations.RunSQL(ENDS, migrations.RunSQL.noop),
        migrations.RunSQL(OF_PORTS, NOT_OF_PORTS),
        migrations.RunSQL(OF_NETWORKS, NOT_OF_NETWORKS),
    ]
