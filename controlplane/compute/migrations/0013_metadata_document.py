import controlplane.kernel.clock
import controlplane.kernel.ids
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Signed metadata of instances: labels and identity documents."""

    dependencies = [
        ('compute', '0012_metadata'),
        ('nodes', '0009_pools'),
    ]

    operations = [
        migrations.CreateModel(
            name='MetadataDocument',
            fields=[
                ('id', models.UUIDField(default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('updated_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('version', models.PositiveBigIntegerField()),
                ('labels', models.JSONField()),
                ('key_id', models.CharField(blank=True, max_length=64)),
                ('document', models.BinaryField()),
                ('renew_at', models.DateTimeField()),
                ('sent_version', models.PositiveBigIntegerField(default=0)),
                ('instance', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='metadata_document', to='compute.instance')),
                ('node', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='nodes.node')),
            ],
            options={
                'abstract': False,
            },
        ),
    ]
