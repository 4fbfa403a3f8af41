"""The tables of metrics, partitioned by time. A partition is made by whoever first writes to it (tables.py).

The key answers the question that is asked (these guests, from when to when) and keeps a repeated sample from counting
twice. The rows come in the order of time, so that a BRIN index, of a few pages, finds those of the last minute for the
sums over all guests.
"""

from django.db import migrations, models

COUNTERS = """
    cpu_ns bigint NOT NULL,
    disk_read_bytes bigint NOT NULL,
    disk_write_bytes bigint NOT NULL,
    disk_read_requests bigint NOT NULL,
    disk_write_requests bigint NOT NULL,
    network_in_bytes bigint NOT NULL,
    network_out_bytes bigint NOT NULL,
    network_in_packets bigint NOT NULL,
    network_out_packets bigint NOT NULL,
"""
SAMPLES = f"""
CREATE TABLE metrics_sample (
    instance_id uuid NOT NULL,
    at timestamptz NOT NULL,
{COUNTERS}
    memory_resident_mib integer NOT NULL,
    memory_used_mib integer,
    devices integer NOT NULL,
    vcpus smallint NOT NULL,
    PRIMARY KEY (instance_id, at)
) PARTITION BY RANGE (at);
"""
SUMS = f"""
CREATE TABLE {{0}} (
    instance_id uuid NOT NULL,
    at timestamptz NOT NULL,
{COUNTERS}
    vcpu_ms bigint NOT NULL,
    memory_resident_mib bigint NOT NULL,
    memory_used_mib bigint NOT NULL,
    covered_ms integer NOT NULL,
    samples integer NOT NULL,
    memory_used_samples integer NOT NULL,
    PRIMARY KEY (instance_id, at)
) PARTITION BY RANGE (at);
"""
BRIN = "CREATE INDEX {0}_by_time ON {0} USING brin (at) WITH (pages_per_range = 32, autosummarize = on);\n"
TABLES = ("metrics_sample", "metrics_minute", "metrics_five_minutes", "metrics_hour")
FORWARD = SAMPLES + "".join(map(SUMS.format, TABLES[1:])) + "".join(map(BRIN.format, TABLES))
BACKWARD = "".join(f"DROP TABLE {table};\n" for table in TABLES)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Rollup",
            fields=[
                ("table", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("done_until", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
