"""The one row of the sweep."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("compliance", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "INSERT INTO compliance_sweep (id, facts_epoch, policies_mark, placed_mark) VALUES (1, 0, 0, 0)",
            "DELETE FROM compliance_sweep WHERE id = 1",
        )
    ]
