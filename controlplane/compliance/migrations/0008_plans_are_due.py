from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("compliance", "0007_execution_valid")]
    operations = [migrations.AddField("sweep", "plans_are_due", models.BooleanField(default=True, db_default=True))]
