"""The addresses of instances that are there already count, as those of new ones do."""

from django.db import migrations

FORWARD = """
INSERT INTO quotas_quotause (project_id, resource_id, dimension, amount)
SELECT network.project_id, port.instance_id, 'addresses', count(*)
FROM network_port AS port JOIN network_network AS network ON network.id = port.network_id
GROUP BY network.project_id, port.instance_id
ON CONFLICT DO NOTHING
"""
BACKWARD = "DELETE FROM quotas_quotause WHERE dimension = 'addresses'"


class Migration(migrations.Migration):
    dependencies = [("network", "0001_initial"), ("quotas", "0002_organizations_and_requests")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
