import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import controlplane.kernel.clock
import controlplane.kernel.ids

# The previous release creates ports without these, and deletes them without their addresses.
COMPLETE = """
CREATE FUNCTION network_port_complete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE network_port SET project_id = network.project_id, name = 'port-' || right(NEW.id::text, 12)
    FROM network_network AS network WHERE network.id = NEW.network_id AND network_port.id = NEW.id;
    INSERT INTO network_portaddress (id, created_at, updated_at, port_id, network_id, subnet_id, ip)
    SELECT gen_random_uuid(), NEW.created_at, NEW.updated_at, NEW.id, NEW.network_id, subnet.id, NEW.ip
    FROM network_subnet AS subnet WHERE subnet.network_id = NEW.network_id AND NEW.ip <<= subnet.cidr::inet;
    INSERT INTO quotas_quotause (project_id, resource_id, dimension, amount)
    SELECT project_id, NEW.instance_id, 'ports', 1 FROM network_network WHERE id = NEW.network_id
    ON CONFLICT (resource_id, dimension) DO UPDATE SET amount = quotas_quotause.amount + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER network_port_complete AFTER INSERT ON network_port
FOR EACH ROW WHEN (NEW.project_id IS NULL) EXECUTE FUNCTION network_port_complete();
"""
NOT_COMPLETE = "DROP TRIGGER network_port_complete ON network_port; DROP FUNCTION network_port_complete();"
SEVERAL = "ALTER TABLE network_subnet DROP CONSTRAINT network_subnet_network_id_key"
ONE = "ALTER TABLE network_subnet ADD CONSTRAINT network_subnet_network_id_key UNIQUE (network_id)"
WITH_THEIR_PORT = [
    f'ALTER TABLE "network_{table}" ADD CONSTRAINT "network_{table}_port" FOREIGN KEY (port_id)'
    " REFERENCES network_port (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"
    for table in ("portaddress", "allowedaddress")
]


def base() -> list[tuple[str, models.Field]]:
    return [
        (
            "id",
            models.UUIDField(
                default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
            ),
        ),
        ("created_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
        ("updated_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
    ]


def of_port(name: str) -> models.Field:
    return models.ForeignKey(
        db_constraint=False,
        on_delete=django.db.models.deletion.DO_NOTHING,
        related_name=name,
        to="network.port",
    )


class Migration(migrations.Migration):
    """Several subnets in a network; ports of a project, with several addresses. 0008 completes the rows."""

    borne_because = {"ADD_UNIQUE": "there is one subnet for each network, and the previous release creates no second one"}

    dependencies = [
        ("identity", "0006_users_end"),
        ("network", "0006_port_mac_once"),
    ]

    operations = [
        migrations.AddField("subnet", "generation", models.PositiveBigIntegerField(db_default=1, default=1)),
        migrations.AddField(
            "subnet", "labels", models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict)
        ),
        migrations.AddField("subnet", "name", models.CharField(db_default="default", default="default", max_length=63)),
        migrations.AddField(
            "subnet",
            "reserved_ranges",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=79), db_default=[], default=list, size=None
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(SEVERAL, ONE)],
            state_operations=[
                migrations.AlterField(
                    "subnet",
                    "network",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="subnets",
                        to="network.network",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            "subnet", models.UniqueConstraint(fields=("network", "name"), name="network_subnet_name_taken")
        ),
        migrations.AddField("port", "is_own", models.BooleanField(db_default=False, default=False)),
        migrations.AddField(
            "port", "labels", models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict)
        ),
        migrations.AddField("port", "last_error", models.JSONField(null=True)),
        migrations.AddField("port", "name", models.CharField(db_default="", max_length=63)),
        migrations.AddField("port", "position", models.PositiveSmallIntegerField(db_default=0, default=0)),
        migrations.AddField(
            "port",
            "project",
            models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, to="identity.project"
            ),
        ),
        migrations.AlterField("port", "instance_id", models.UUIDField(null=True)),
        migrations.AlterField("port", "ip", models.GenericIPAddressField(null=True, protocol="IPv4")),
        migrations.CreateModel(
            "AllowedAddress",
            [
                *base(),
                ("cidr", models.CharField(max_length=43)),
                ("mac", models.CharField(blank=True, max_length=17)),
                ("port", of_port("allowed_addresses")),
            ],
            options={"abstract": False},
        ),
        migrations.CreateModel(
            "PortAddress",
            [
                *base(),
                ("ip", models.GenericIPAddressField()),
                (
                    "network",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, to="network.network"
                    ),
                ),
                ("port", of_port("addresses")),
                (
                    "subnet",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="network.subnet"),
                ),
            ],
        ),
        migrations.AddConstraint(
            "portaddress", models.UniqueConstraint(fields=("network", "ip"), name="network_portaddress_taken")
        ),
        migrations.RunSQL(WITH_THEIR_PORT, migrations.RunSQL.noop),
        migrations.RunSQL(COMPLETE, NOT_COMPLETE),
    ]
