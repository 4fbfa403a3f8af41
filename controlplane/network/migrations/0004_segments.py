"""Networks get a number each, also those that are there, and what is on nodes is bound to them."""

import controlplane.kernel.clock
import controlplane.kernel.ids
import django.db.models.deletion
from django.db import migrations, models

# Low numbers stay free for those who run the platform.
NUMBERS = """
CREATE SEQUENCE network_vni AS integer MINVALUE 65536 MAXVALUE 16777215 CYCLE;
CREATE FUNCTION network_next_vni() RETURNS integer LANGUAGE sql AS $$ SELECT nextval('network_vni')::integer $$;
"""
NUMBERS_GONE = "DROP FUNCTION network_next_vni(); DROP SEQUENCE network_vni;"
# The sequence begins anew one day, and what is in use then is passed over.
FREE_NUMBERS = """
CREATE OR REPLACE FUNCTION network_next_vni() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE candidate integer;
BEGIN
    LOOP
        candidate := nextval('network_vni');
        EXIT WHEN NOT EXISTS (SELECT FROM network_network WHERE vni = candidate);
    END LOOP;
    RETURN candidate;
END $$;
"""
ANY_NUMBER = """
CREATE OR REPLACE FUNCTION network_next_vni() RETURNS integer LANGUAGE sql AS $$ SELECT nextval('network_vni')::integer $$;
"""
BIND = """
INSERT INTO network_portbinding (id, created_at, updated_at, port_id, node_id)
SELECT gen_random_uuid(), now(), now(), port.id, allocation.node_id
FROM network_port AS port JOIN placement_allocation AS allocation ON allocation.consumer_id = port.instance_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0005_asked_for_again'),
        ('identity', '0004_versions'),
        ('network', '0003_addresses_find_their_network'),
        ('nodes', '0008_underlay'),
        ('placement', '0001_initial'),
    ]

    operations = [
        migrations.RunSQL(NUMBERS, NUMBERS_GONE),
        migrations.CreateModel(
            name='PortBinding',
            fields=[
                ('id', models.UUIDField(default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('updated_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='Segment',
            fields=[
                ('id', models.UUIDField(default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('updated_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('version', models.PositiveBigIntegerField(default=0)),
                ('members', models.JSONField(default=dict)),
                ('key_id', models.CharField(blank=True, max_length=64)),
                ('document', models.BinaryField(default=bytes)),
            ],
        ),
        migrations.CreateModel(
            name='SegmentCopy',
            fields=[
                ('id', models.UUIDField(default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('updated_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('version', models.PositiveBigIntegerField()),
                ('problem', models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.AddField(
            model_name='network',
            name='vni',
            field=models.PositiveIntegerField(db_default=models.Func(function='network_next_vni'), editable=False),
        ),
        migrations.RunSQL(FREE_NUMBERS, ANY_NUMBER),
        migrations.AddConstraint(
            model_name='network',
            constraint=models.UniqueConstraint(fields=('vni',), name='network_network_vni_taken'),
        ),
        migrations.AddConstraint(
            model_name='network',
            constraint=models.CheckConstraint(condition=models.Q(('vni__range', (1, 16777215))), name='network_network_vni'),
        ),
        migrations.AddField(
            model_name='portbinding',
            name='node',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='nodes.node'),
        ),
        migrations.AddField(
            model_name='portbinding',
            name='port',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='network.port'),
        ),
        migrations.AddField(
            model_name='segment',
            name='network',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='network.network'),
        ),
        migrations.AddField(
            model_name='segment',
            name='zone',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='catalog.zone'),
        ),
        migrations.AddField(
            model_name='segmentcopy',
            name='node',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='nodes.node'),
        ),
        migrations.AddField(
            model_name='segmentcopy',
            name='segment',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to='network.segment'),
        ),
        migrations.AddConstraint(
            model_name='portbinding',
            constraint=models.UniqueConstraint(fields=('port', 'node'), name='network_portbinding_once'),
        ),
        migrations.AddConstraint(
            model_name='segment',
            constraint=models.UniqueConstraint(fields=('network', 'zone'), name='network_segment_once'),
        ),
        migrations.AddConstraint(
            model_name='segmentcopy',
            constraint=models.UniqueConstraint(fields=('segment', 'node'), name='network_segmentcopy_once'),
        ),
        migrations.RunSQL(BIND, migrations.RunSQL.noop),
    ]
