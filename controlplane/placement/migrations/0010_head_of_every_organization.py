"""An organization has its policy head from its first moment, whoever writes it, so that nobody has to make one who only
asks."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION placement_head_of_organization() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO placement_policyhead (organization_id, version) VALUES (NEW.id, 1) ON CONFLICT DO NOTHING;
    RETURN NEW;
END $$;
CREATE TRIGGER placement_head_of_organization AFTER INSERT ON identity_organization
    FOR EACH ROW EXECUTE FUNCTION placement_head_of_organization();
INSERT INTO placement_policyhead (organization_id, version) SELECT id, 1 FROM identity_organization
    ON CONFLICT DO NOTHING;
"""
BACKWARD = """
DROP TRIGGER placement_head_of_organization ON identity_organization;
DROP FUNCTION placement_head_of_organization();
"""


class Migration(migrations.Migration):
    dependencies = [("placement", "0009_declassification"), ("identity", "0002_duties")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
