"""A token says in whose session it was issued, so that it can end with that."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0004_versions")]
    operations = [migrations.AddField("apitoken", "issuer_id", models.UUIDField(null=True))]
