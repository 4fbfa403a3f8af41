"""What the files of images take of their projects' quotas: of those that are there already."""

from django.db import migrations

CLAIMED = """
INSERT INTO quotas_quotause (project_id, resource_id, dimension, amount)
SELECT project_id, id, 'image_gib', (size_bytes + 1073741823) / 1073741824 FROM catalog_image
WHERE project_id IS NOT NULL AND state NOT IN ('deleted', 'error') AND size_bytes > 0
ON CONFLICT (resource_id, dimension) DO NOTHING
"""
RELEASED = "DELETE FROM quotas_quotause WHERE dimension = 'image_gib'"


class Migration(migrations.Migration):
    dependencies = [("catalog", "0006_pools"), ("quotas", "0004_parts")]
    operations = [migrations.RunSQL(CLAIMED, RELEASED)]
