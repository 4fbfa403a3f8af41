"""What Terraform states take of their projects' quotas: those that are there already."""

from django.db import migrations

CLAIMED = """
INSERT INTO quotas_quotause (project_id, resource_id, dimension, amount)
SELECT project_id, state.id, 'state_mib', (sum(size_bytes) + 1048575) / 1048576
FROM terraform_terraformstate AS state JOIN terraform_terraformstateversion AS version ON version.state_id = state.id
GROUP BY state.id HAVING sum(size_bytes) > 0
ON CONFLICT (resource_id, dimension) DO NOTHING
"""
RELEASED = "DELETE FROM quotas_quotause WHERE dimension = 'state_mib'"


class Migration(migrations.Migration):
    dependencies = [("terraform", "0001_initial"), ("quotas", "0004_parts")]
    operations = [migrations.RunSQL(CLAIMED, RELEASED)]
