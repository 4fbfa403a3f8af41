"""Partitions are made and dropped by functions of the schema's owner: no process may change the schema otherwise."""

from django.db import migrations

TABLES = "'metrics_sample', 'metrics_minute', 'metrics_five_minutes', 'metrics_hour'"
MAKE = f"""
CREATE FUNCTION metrics_make_partition(parent text, begins timestamptz, ends timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF parent NOT IN ({TABLES}) THEN
        RAISE EXCEPTION '% has no partitions', parent;
    END IF;
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
        parent || to_char(begins AT TIME ZONE 'UTC', '_YYYYMMDDHH24'), parent, begins, ends
    );
END $$;
REVOKE EXECUTE ON FUNCTION metrics_make_partition FROM PUBLIC;
"""
DROP = f"""
CREATE FUNCTION metrics_drop_partition(partition text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_inherits
        WHERE inhrelid = to_regclass(partition) AND inhparent::regclass::text IN ({TABLES})
    ) THEN
        EXECUTE format('DROP TABLE IF EXISTS %I', partition);
    END IF;
END $$;
REVOKE EXECUTE ON FUNCTION metrics_drop_partition FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("metrics", "0001_initial")]

    operations = [
        migrations.RunSQL(MAKE, "DROP FUNCTION metrics_make_partition"),
        migrations.RunSQL(DROP, "DROP FUNCTION metrics_drop_partition"),
    ]
