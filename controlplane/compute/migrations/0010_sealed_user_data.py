"""User data is sealed (compute/user_data.py). seal_plain() there seals what is there already, once processes of
this release run; whoever goes back to the release before takes this migration back first, and has it in clear again."""

from typing import Any

from django.db import migrations, models

from controlplane.kernel.encryption import decrypt

PORTION = 100


def open_all(apps: Any, schema_editor: Any) -> None:
    for name in ("Instance", "Rebuild"):
        rows = apps.get_model("compute", name).objects.filter(sealed_user_data__isnull=False)
        while portion := list(rows.order_by("pk")[:PORTION]):
            for row in portion:
                owner = row.pk if name == "Instance" else row.instance_id
                row.user_data = decrypt(bytes(row.sealed_user_data), purpose="user data", row_id=owner)
                row.sealed_user_data = None
                row.save(update_fields=["user_data", "sealed_user_data"])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("compute", "0009_evacuation")]
    operations = [
        migrations.AddField("instance", "sealed_user_data", models.BinaryField(null=True)),
        migrations.AddField("rebuild", "sealed_user_data", models.BinaryField(null=True)),
        migrations.RunPython(migrations.RunPython.noop, open_all),
    ]
