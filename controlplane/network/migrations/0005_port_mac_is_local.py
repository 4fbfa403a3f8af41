from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [
        ("network", "0004_segments"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="port", name="network_port_mac_is_local"),
        AddConstraintNotValid(
            model_name="port",
            constraint=models.CheckConstraint(
                condition=Q(mac__startswith="52:54:00:") | Q(mac__startswith="56:"), name="network_port_mac_is_local"
            ),
        ),
    ]
