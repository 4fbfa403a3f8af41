from django.db import migrations, models

# One trigger for each kind of statement: each knows the rows that it changed as a table.
FUNCTION = """
CREATE FUNCTION quotas_add_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO quotas_quotapart (project_id, dimension, amount)
        SELECT project_id, dimension, sum(amount) FROM new_rows GROUP BY project_id, dimension;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO quotas_quotapart (project_id, dimension, amount)
        SELECT project_id, dimension, -sum(amount) FROM old_rows GROUP BY project_id, dimension;
    ELSE
        INSERT INTO quotas_quotapart (project_id, dimension, amount)
        SELECT project_id, dimension, sum(amount) FROM (
            SELECT project_id, dimension, amount FROM new_rows
            UNION ALL SELECT project_id, dimension, -amount FROM old_rows
        ) AS changed
        GROUP BY project_id, dimension HAVING sum(amount) <> 0;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION quotas_empty_parts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM quotas_quotapart;
    RETURN NULL;
END $$;
"""
TRIGGERS = """
CREATE TRIGGER quotas_parts_inserted AFTER INSERT ON quotas_quotause
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION quotas_add_parts();
CREATE TRIGGER quotas_parts_updated AFTER UPDATE ON quotas_quotause
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION quotas_add_parts();
CREATE TRIGGER quotas_parts_deleted AFTER DELETE ON quotas_quotause
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION quotas_add_parts();
CREATE TRIGGER quotas_parts_emptied AFTER TRUNCATE ON quotas_quotause
    FOR EACH STATEMENT EXECUTE FUNCTION quotas_empty_parts();
"""
# The triggers come first: whoever writes meanwhile waits for their lock.
FIRST = """
INSERT INTO quotas_quotapart (project_id, dimension, amount)
SELECT project_id, dimension, sum(amount) FROM quotas_quotause GROUP BY project_id, dimension;
"""
BACK = """
DROP TRIGGER quotas_parts_inserted ON quotas_quotause;
DROP TRIGGER quotas_parts_updated ON quotas_quotause;
DROP TRIGGER quotas_parts_deleted ON quotas_quotause;
DROP TRIGGER quotas_parts_emptied ON quotas_quotause;
DROP FUNCTION quotas_add_parts();
DROP FUNCTION quotas_empty_parts();
"""


class Migration(migrations.Migration):
    """A claim adds up tens of parts, and not every row of the organization."""

    dependencies = [("quotas", "0003_sum_index")]

    operations = [
        migrations.CreateModel(
            name="QuotaPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("project_id", models.UUIDField()),
                ("dimension", models.CharField(max_length=32)),
                ("amount", models.BigIntegerField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["project_id", "dimension"], include=["amount"], name="quotas_part_sum")
                ]
            },
        ),
        migrations.RunSQL(FUNCTION + TRIGGERS + FIRST, BACK),
    ]
