"""The tables that are append-only are not emptied either: TRUNCATE asks no trigger for rows."""

from django.db import migrations

TABLES = ("auditrecord", "evidencerecord", "merklenode", "checkpoint", "cosignature")
FUNCTION = """
CREATE FUNCTION audit_never_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
"""
TRIGGER = """
CREATE TRIGGER audit_never_emptied BEFORE TRUNCATE ON audit_{0}
    FOR EACH STATEMENT EXECUTE FUNCTION audit_never_emptied();
"""
FORWARD = FUNCTION + "".join(map(TRIGGER.format, TABLES))
BACKWARD = "".join(f"DROP TRIGGER audit_never_emptied ON audit_{table};\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_erasures_and_marks")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD + "DROP FUNCTION audit_never_emptied();")]
