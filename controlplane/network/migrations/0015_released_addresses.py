from django.db import migrations, models


class Migration(migrations.Migration):
    """Suspended public addresses may be released: their pools keep them back."""

    dependencies = [("network", "0014_history_of_the_owner")]

    operations = [migrations.AddField("publicaddress", "released_at", models.DateTimeField(null=True))]
