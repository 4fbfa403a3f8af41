"""The platform's policy head; policy documents and lineage are never changed and never removed, by whatever path."""

from django.db import migrations

FORWARD = """
INSERT INTO placement_policyhead (organization_id, version) VALUES (NULL, 1);
CREATE FUNCTION placement_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER placement_lineage_append_only BEFORE UPDATE OR DELETE ON placement_lineage
    FOR EACH ROW EXECUTE FUNCTION placement_append_only();
CREATE TRIGGER placement_policy_version_append_only BEFORE UPDATE OR DELETE ON placement_policyversion
    FOR EACH ROW EXECUTE FUNCTION placement_append_only();
CREATE TRIGGER placement_policy_document_append_only BEFORE UPDATE OR DELETE ON placement_policydocument
    FOR EACH ROW EXECUTE FUNCTION placement_append_only();
"""
BACKWARD = """
DROP TRIGGER placement_policy_document_append_only ON placement_policydocument;
DROP TRIGGER placement_policy_version_append_only ON placement_policyversion;
DROP TRIGGER placement_lineage_append_only ON placement_lineage;
DROP FUNCTION placement_append_only();
DELETE FROM placement_policyhead WHERE organization_id IS NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("placement", "0002_inventory_trigger")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
