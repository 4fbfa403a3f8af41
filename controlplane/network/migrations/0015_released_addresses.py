from django.db import migrations, models


class Migration(migrations.Migration):
    """Suspended public addresses may be released: their pools keep them back. The history is found by reservation."""

    borne_because = {"CREATE_INDEX": "the table is new in this release, so it is empty or small"}

    dependencies = [("network", "0014_history_of_the_owner")]

    operations = [
        migrations.AddField("publicaddress", "released_at", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "publicaddressuse", models.Index(fields=["address_id"], name="network_publicaddressuse_of")
        ),
    ]
