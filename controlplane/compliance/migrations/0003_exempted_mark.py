"""Another sweep is due when two people have agreed to an exemption."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("compliance", "0002_sweep")]
    operations = [migrations.AddField("sweep", "exempted_mark", models.PositiveBigIntegerField(default=0))]
