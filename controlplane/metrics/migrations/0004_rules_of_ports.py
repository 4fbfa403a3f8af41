"""Counters of the rules of ports: columns of what rules drop, and tables of the rules that log."""

import importlib
from typing import Any

from django.db import migrations

BRIN = importlib.import_module("controlplane.metrics.migrations.0001_initial").BRIN
OWNER: Any = importlib.import_module("controlplane.metrics.migrations.0002_partitions_of_the_owner")
PORTS: Any = importlib.import_module("controlplane.metrics.migrations.0003_ports")
DROPS = (
    "security_group_in_dropped",
    "security_group_out_dropped",
    "bandwidth_in_dropped",
    "bandwidth_out_dropped",
)
SAMPLE, *SUMS = PORTS.TABLES
SUMMED = {name: "bigint NOT NULL DEFAULT 0" for name in DROPS} | {"rules_covered_ms": "integer NOT NULL DEFAULT 0"}
COLUMNS = {SAMPLE: dict.fromkeys(DROPS, "bigint")} | dict.fromkeys(SUMS, SUMMED)


def altered(verb: str) -> str:
    return "".join(
        f"ALTER TABLE {table} {', '.join(verb.format(name=name, kind=kind) for name, kind in columns.items())};\n"
        for table, columns in COLUMNS.items()
    )


RULE_SAMPLES = """
CREATE TABLE metrics_rule_sample (
    port_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    at timestamptz NOT NULL,
    hits bigint NOT NULL,
    PRIMARY KEY (port_id, rule_id, at)
) PARTITION BY RANGE (at);
"""
RULE_SUMS = """
CREATE TABLE {0} (
    port_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    at timestamptz NOT NULL,
    hits bigint NOT NULL,
    covered_ms integer NOT NULL,
    PRIMARY KEY (port_id, rule_id, at)
) PARTITION BY RANGE (at);
"""
TABLES = ("metrics_rule_sample", "metrics_rule_minute", "metrics_rule_five_minutes", "metrics_rule_hour")
FORWARD = RULE_SAMPLES + "".join(map(RULE_SUMS.format, TABLES[1:])) + "".join(map(BRIN.format, TABLES))
BACKWARD = "".join(f"DROP TABLE {table};\n" for table in TABLES)
ALL_TABLES = ", ".join([PORTS.ALL_TABLES, *(f"'{table}'" for table in TABLES)])


class Migration(migrations.Migration):
    dependencies = [("metrics", "0003_ports")]
    borne_because = {"CREATE_INDEX": "the same statement makes the tables, so they are empty and in no use"}
    operations = [
        migrations.RunSQL(altered("ADD COLUMN {name} {kind}"), altered("DROP COLUMN {name}")),
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.RunSQL(
            PORTS.replaced(OWNER.MAKE, ALL_TABLES), PORTS.replaced(OWNER.MAKE, PORTS.ALL_TABLES)
        ),
        migrations.RunSQL(
            PORTS.replaced(OWNER.DROP, ALL_TABLES), PORTS.replaced(OWNER.DROP, PORTS.ALL_TABLES)
        ),
    ]
