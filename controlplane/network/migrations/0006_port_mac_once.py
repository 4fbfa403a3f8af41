from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models
from django.db.models import Q

CREATE = "CREATE UNIQUE INDEX CONCURRENTLY network_port_mac_once ON network_port (mac) WHERE mac LIKE '56:%'"
DROP = "DROP INDEX CONCURRENTLY IF EXISTS network_port_mac_once"


class Migration(migrations.Migration):
    """Only of the new addresses: the release before writes others, of which two networks may have the same."""

    atomic = False

    dependencies = [
        ("network", "0005_port_mac_is_local"),
    ]

    operations = [
        ValidateConstraint(model_name="port", name="network_port_mac_is_local"),
        migrations.SeparateDatabaseAndState(
            # An attempt that was interrupted leaves an index that is not valid.
            database_operations=[migrations.RunSQL([DROP, CREATE], DROP)],
            state_operations=[
                migrations.AddConstraint(
                    model_name="port",
                    constraint=models.UniqueConstraint(
                        fields=["mac"], condition=Q(mac__startswith="56:"), name="network_port_mac_once"
                    ),
                ),
            ],
        ),
    ]
