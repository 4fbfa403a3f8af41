import django.db.models.deletion
from django.db import connection, migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

BATCH = 2000
COMPLETE = """
WITH old AS (
    SELECT port.id, port.created_at, port.updated_at, port.network_id, port.ip, network.project_id
    FROM network_port AS port JOIN network_network AS network ON network.id = port.network_id
    WHERE port.project_id IS NULL LIMIT %s FOR NO KEY UPDATE OF port
), with_address AS (
    INSERT INTO network_portaddress (id, created_at, updated_at, port_id, network_id, subnet_id, ip)
    SELECT gen_random_uuid(), old.created_at, old.updated_at, old.id, old.network_id, subnet.id, old.ip
    FROM old JOIN network_subnet AS subnet ON subnet.network_id = old.network_id AND old.ip <<= subnet.cidr::inet
)
UPDATE network_port SET project_id = old.project_id, name = 'port-' || right(old.id::text, 12)
FROM old WHERE network_port.id = old.id
"""
COUNT = """
INSERT INTO quotas_quotause (project_id, resource_id, dimension, amount)
SELECT project_id, instance_id, 'ports', count(*) FROM network_port
WHERE instance_id IS NOT NULL AND NOT is_own GROUP BY project_id, instance_id
ON CONFLICT DO NOTHING
"""
NOT_COUNTED = "DELETE FROM quotas_quotause WHERE dimension = 'ports'"
CREATE = "CREATE UNIQUE INDEX CONCURRENTLY network_port_name_taken ON network_port (project_id, name)"
DROP = "DROP INDEX CONCURRENTLY IF EXISTS network_port_name_taken"


def complete(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Give the ports of the previous release their project, name and address; each batch is a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(COMPLETE, [BATCH])
        while cursor.rowcount:
            cursor.execute(COMPLETE, [BATCH])


class Migration(migrations.Migration):
    """Old ports get a project, a name and their address. The previous release still writes NULL as the project."""

    atomic = False

    dependencies = [
        ("network", "0007_subnets_and_ports"),
        ("quotas", "0004_parts"),
    ]

    operations = [
        migrations.RunPython(complete, migrations.RunPython.noop),
        migrations.RunSQL(COUNT, NOT_COUNTED),
        migrations.SeparateDatabaseAndState(
            # An attempt that was interrupted leaves an index that is not valid.
            database_operations=[migrations.RunSQL([DROP, CREATE], DROP)],
            state_operations=[
                migrations.AddConstraint(
                    "port", models.UniqueConstraint(fields=("project", "name"), name="network_port_name_taken")
                ),
                migrations.AlterField(
                    "port",
                    "project",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="identity.project"
                    ),
                ),
            ],
        ),
    ]
