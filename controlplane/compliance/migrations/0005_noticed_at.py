"""When a sweep saw a state, beside when the state began."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("compliance", "0004_image_copies")]
    operations = [
        migrations.AddField("compliance", "noticed_at", models.DateTimeField(null=True)),
        migrations.AddField("imagecopy", "noticed_at", models.DateTimeField(null=True)),
    ]
