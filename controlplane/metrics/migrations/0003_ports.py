"""The tables of the metrics of ports, partitioned by time like those of guests.

A deleted port has no row, hence no foreign key: its metrics are deleted by the job of retention.
"""

import importlib
from typing import Any

from django.db import migrations

BRIN = importlib.import_module("controlplane.metrics.migrations.0001_initial").BRIN
OWNER: Any = importlib.import_module("controlplane.metrics.migrations.0002_partitions_of_the_owner")
COUNTERS = """
    network_in_bytes bigint NOT NULL,
    network_out_bytes bigint NOT NULL,
    network_in_packets bigint NOT NULL,
    network_out_packets bigint NOT NULL,
"""
SAMPLES = f"""
CREATE TABLE metrics_port_sample (
    port_id uuid NOT NULL,
    at timestamptz NOT NULL,
{COUNTERS}
    network_in_dropped bigint,
    network_out_dropped bigint,
    PRIMARY KEY (port_id, at)
) PARTITION BY RANGE (at);
"""
SUMS = f"""
CREATE TABLE {{0}} (
    port_id uuid NOT NULL,
    at timestamptz NOT NULL,
{COUNTERS}
    network_in_dropped bigint NOT NULL,
    network_out_dropped bigint NOT NULL,
    covered_ms integer NOT NULL,
    dropped_covered_ms integer NOT NULL,
    PRIMARY KEY (port_id, at)
) PARTITION BY RANGE (at);
"""
TABLES = ("metrics_port_sample", "metrics_port_minute", "metrics_port_five_minutes", "metrics_port_hour")
FORWARD = SAMPLES + "".join(map(SUMS.format, TABLES[1:])) + "".join(map(BRIN.format, TABLES))
BACKWARD = "".join(f"DROP TABLE {table};\n" for table in TABLES)
ALL_TABLES = ", ".join([OWNER.TABLES, *(f"'{table}'" for table in TABLES)])


def replaced(function: str, tables: str) -> str:
    """Return the statement that replaces a function of 0002 by the same one for these tables."""
    return function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION").replace(OWNER.TABLES, tables)


class Migration(migrations.Migration):
    dependencies = [("metrics", "0002_partitions_of_the_owner")]
    borne_because = {"CREATE_INDEX": "the same statement makes the tables, so they are empty and in no use"}
    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.RunSQL(replaced(OWNER.MAKE, ALL_TABLES), replaced(OWNER.MAKE, OWNER.TABLES)),
        migrations.RunSQL(replaced(OWNER.DROP, ALL_TABLES), replaced(OWNER.DROP, OWNER.TABLES)),
    ]
