"""What operators want of a node is one word, `duty`, of which `is_cordoned` follows; and drains, which empty a node.

A node that is retired leaves the fleet as one that was removed would.
"""

import controlplane.kernel.clock
import controlplane.kernel.ids
import django.db.models.deletion
from django.db import migrations, models

TRIGGER = """
CREATE TRIGGER nodes_node_changed AFTER UPDATE ON nodes_node FOR EACH ROW
    WHEN ((OLD.name, OLD.zone_id, OLD.state, OLD.{what}, OLD.traits, OLD.is_attested, OLD.cleared_for)
        IS DISTINCT FROM (NEW.name, NEW.zone_id, NEW.state, NEW.{what}, NEW.traits, NEW.is_attested, NEW.cleared_for))
    EXECUTE FUNCTION nodes_node_changed();
"""
DROP = "DROP TRIGGER nodes_node_changed ON nodes_node;"
FUNCTION = """
CREATE OR REPLACE FUNCTION nodes_node_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE nodes_inventory SET changed_xid = pg_current_xact_id() WHERE node_id = NEW.id;
    {more}
    RETURN NULL;
END $$;
"""
REMOVED = """
    IF NEW.duty = 'retired' THEN
        INSERT INTO nodes_fleet_removal VALUES (1, pg_current_xact_id())
            ON CONFLICT (id) DO UPDATE SET removed_xid = EXCLUDED.removed_xid;
    END IF;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0005_asked_for_again'),
        ('nodes', '0005_inventoried_at'),
    ]

    operations = [
        migrations.CreateModel(
            name='Drain',
            fields=[
                ('id', models.UUIDField(default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('updated_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('state', models.CharField(default='running', max_length=16)),
                ('digest', models.CharField(max_length=64)),
                ('fallback', models.CharField(max_length=8)),
                ('at_once', models.PositiveSmallIntegerField()),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('volumes', models.PositiveIntegerField(default=0)),
                ('user_id', models.UUIDField(null=True)),
                ('credential_id', models.UUIDField(null=True)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='DrainGuest',
            fields=[
                ('id', models.UUIDField(default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('updated_at', models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ('instance_id', models.UUIDField()),
                ('name', models.CharField(max_length=63)),
                ('project_id', models.UUIDField()),
                ('order', models.PositiveIntegerField()),
                ('action', models.CharField(max_length=8)),
                ('state', models.CharField(default='waiting', max_length=16)),
                ('reasons', models.JSONField(default=list)),
                ('operation_id', models.UUIDField(null=True)),
                ('tries', models.PositiveIntegerField(default=0)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='node',
            name='nodes_node_name_taken',
        ),
        migrations.RenameField(
            model_name='node',
            old_name='cordon_reason',
            new_name='duty_reason',
        ),
        migrations.AddField(
            model_name='node',
            name='duty',
            field=models.CharField(default='in-service', max_length=16),
        ),
        migrations.AddField(
            model_name='node',
            name='duty_since',
            field=models.DateTimeField(default=controlplane.kernel.clock.now),
        ),
        migrations.AddField(
            model_name='node',
            name='fenced_by',
            field=models.JSONField(null=True),
        ),
        migrations.RunSQL(DROP, TRIGGER.format(what="is_cordoned")),
        migrations.RunSQL(
            "UPDATE nodes_node SET duty = 'cordoned' WHERE is_cordoned",
            "UPDATE nodes_node SET is_cordoned = duty <> 'in-service'",
        ),
        migrations.RemoveField(model_name='node', name='is_cordoned'),
        migrations.AddField(
            model_name='node',
            name='is_cordoned',
            field=models.GeneratedField(db_persist=True, expression=models.ExpressionWrapper(models.Q(('duty', 'in-service'), _negated=True), output_field=models.BooleanField()), output_field=models.BooleanField()),
        ),
        migrations.RunSQL(FUNCTION.format(more=REMOVED), FUNCTION.format(more="")),
        migrations.RunSQL(TRIGGER.format(what="duty"), DROP),
        migrations.AddConstraint(
            model_name='node',
            constraint=models.UniqueConstraint(condition=models.Q(('duty', 'retired'), _negated=True), fields=('name',), name='nodes_node_name_taken'),
        ),
        migrations.AddConstraint(
            model_name='node',
            constraint=models.CheckConstraint(condition=models.Q(('duty__in', {'cordoned': frozenset(['draining', 'fenced', 'in-service', 'maintenance', 'retired']), 'draining': frozenset(['cordoned', 'fenced', 'maintenance']), 'fenced': frozenset(['maintenance', 'retired']), 'in-service': frozenset(['cordoned', 'draining', 'fenced', 'maintenance', 'retired']), 'maintenance': frozenset(['fenced', 'in-service', 'retired']), 'retired': frozenset([])})), name='nodes_node_duty'),
        ),
        migrations.AddConstraint(
            model_name='node',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('duty', 'fenced'), _negated=True), ('fenced_by__isnull', False), _connector='OR'), name='nodes_node_fenced_with_evidence'),
        ),
        migrations.AddField(
            model_name='drain',
            name='node',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='nodes.node'),
        ),
        migrations.AddField(
            model_name='drainguest',
            name='drain',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='guests', to='nodes.drain'),
        ),
        migrations.AddField(
            model_name='drainguest',
            name='target',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='nodes.node'),
        ),
        migrations.AddConstraint(
            model_name='drain',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('running', 'paused', 'blocked'))), fields=('node',), name='nodes_drain_one_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='drain',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', {'blocked': frozenset(['cancelled', 'done', 'running']), 'cancelled': frozenset([]), 'done': frozenset([]), 'paused': frozenset(['cancelled', 'running']), 'running': frozenset(['blocked', 'cancelled', 'done', 'paused'])})), name='nodes_drain_state'),
        ),
        migrations.AddConstraint(
            model_name='drain',
            constraint=models.CheckConstraint(condition=models.Q(('fallback__in', ('leave', 'stop'))), name='nodes_drain_fallback'),
        ),
        migrations.AddConstraint(
            model_name='drain',
            constraint=models.CheckConstraint(condition=models.Q(('at_once__gte', 1)), name='nodes_drain_at_once'),
        ),
        migrations.AddConstraint(
            model_name='drain',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ('running', 'paused', 'blocked')), ('finished_at__isnull', False), _connector='OR'), name='nodes_drain_ended_has_time'),
        ),
        migrations.AddConstraint(
            model_name='drainguest',
            constraint=models.UniqueConstraint(fields=('drain', 'instance_id'), name='nodes_drain_guest_once'),
        ),
        migrations.AddConstraint(
            model_name='drainguest',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', {'failed': frozenset(['gone', 'moved', 'off', 'waiting']), 'gone': frozenset([]), 'left': frozenset(['gone', 'moved', 'off', 'waiting']), 'moved': frozenset([]), 'moving': frozenset(['failed', 'gone', 'moved', 'off']), 'off': frozenset(['gone', 'moved', 'waiting']), 'stopping': frozenset(['failed', 'gone', 'moved', 'off']), 'waiting': frozenset(['failed', 'gone', 'left', 'moved', 'moving', 'off', 'stopping'])})), name='nodes_drain_guest_state'),
        ),
        migrations.AddConstraint(
            model_name='drainguest',
            constraint=models.CheckConstraint(condition=models.Q(('action__in', ('migrate', 'stop', 'stay', 'leave', 'wait'))), name='nodes_drain_guest_action'),
        ),
    ]
