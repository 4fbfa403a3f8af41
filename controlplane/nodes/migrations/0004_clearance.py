"""What a node may hold, as placement sees it: nodes whose charter does not allow the data, or that are not attested,
are not chosen. Attestation shows itself with the next heartbeat."""

import json
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

CHANGED = """
DROP TRIGGER nodes_node_changed ON nodes_node;
CREATE TRIGGER nodes_node_changed AFTER UPDATE ON nodes_node FOR EACH ROW
    WHEN (({old}) IS DISTINCT FROM ({new}))
    EXECUTE FUNCTION nodes_node_changed();
"""
BEFORE = ("name", "zone_id", "state", "is_cordoned", "traits")
AFTER = (*BEFORE, "is_attested", "cleared_for")


def changed(columns: tuple[str, ...]) -> str:
    return CHANGED.format(
        old=", ".join(f"OLD.{name}" for name in columns), new=", ".join(f"NEW.{name}" for name in columns)
    )


def read_charters(apps: Any, schema_editor: Any) -> None:
    nodes = apps.get_model("nodes", "Node").objects
    charters = apps.get_model("nodes", "TrustDocument").objects.filter(kind="charter")
    for document in charters.order_by("subject", "-version").distinct("subject").values_list("document", flat=True):
        charter = json.loads(bytes(document))["p"]
        nodes.filter(pk=charter["node"]).update(
            cleared_for=charter["classifications"], chartered_until=charter["valid_to"]
        )


class Migration(migrations.Migration):
    dependencies = [("nodes", "0003_fleet_changes")]
    operations = [
        migrations.AddField("node", "is_attested", models.BooleanField(default=False)),
        migrations.AddField("node", "cleared_for", ArrayField(models.CharField(max_length=63), default=list)),
        migrations.AddField("node", "chartered_until", models.DateTimeField(null=True)),
        migrations.RunPython(read_charters, migrations.RunPython.noop),
        migrations.RunSQL(changed(AFTER), changed(BEFORE)),
    ]
