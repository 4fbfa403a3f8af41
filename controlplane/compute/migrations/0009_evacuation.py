"""No guest is made again elsewhere unless its node is fenced, and no instance changes its node but by a move or such an
evacuation: not even by a mistake in a workflow, or by hand."""

from django.db import migrations, models

# Whoever would let the node out of its duty waits for the evacuation, or the evacuation sees it.
FENCED = """
CREATE FUNCTION compute_evacuation_needs_fence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM nodes_node WHERE id = NEW.source_id AND duty = 'fenced' AND fenced_by IS NOT NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'node % is not fenced: nothing is evacuated from it', NEW.source_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER compute_evacuation_needs_fence BEFORE INSERT OR UPDATE ON compute_migration FOR EACH ROW
    WHEN (NEW.kind = 'evacuate' AND NEW.state IN ('placing', 'preparing', 'done'))
    EXECUTE FUNCTION compute_evacuation_needs_fence();
"""
UNFENCED = """
DROP TRIGGER compute_evacuation_needs_fence ON compute_migration; DROP FUNCTION compute_evacuation_needs_fence();
"""
KEPT = """
CREATE FUNCTION compute_node_stays_fenced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM compute_migration
        WHERE source_id = NEW.id AND kind = 'evacuate' AND state IN ('placing', 'preparing')
    ) THEN
        RAISE EXCEPTION 'guests of node % are being evacuated', NEW.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER compute_node_stays_fenced BEFORE UPDATE OF duty ON nodes_node FOR EACH ROW
    WHEN (OLD.duty = 'fenced' AND NEW.duty NOT IN ('fenced', 'retired'))
    EXECUTE FUNCTION compute_node_stays_fenced();
"""
NOT_KEPT = "DROP TRIGGER compute_node_stays_fenced ON nodes_node; DROP FUNCTION compute_node_stays_fenced();"
MOVED = """
CREATE FUNCTION compute_instance_moves_by_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM compute_migration
        WHERE instance_id = NEW.id AND source_id = OLD.node_id AND destination_id = NEW.node_id
            AND state = CASE kind WHEN 'evacuate' THEN 'preparing' ELSE 'moving' END
    ) THEN
        RAISE EXCEPTION 'instance % does not move from node % to %', NEW.id, OLD.node_id, NEW.node_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER compute_instance_moves_by_row BEFORE UPDATE OF node_id ON compute_instance FOR EACH ROW
    WHEN (OLD.node_id IS NOT NULL AND NEW.node_id IS NOT NULL AND OLD.node_id <> NEW.node_id)
    EXECUTE FUNCTION compute_instance_moves_by_row();
"""
NOT_MOVED = """
DROP TRIGGER compute_instance_moves_by_row ON compute_instance; DROP FUNCTION compute_instance_moves_by_row();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('compute', '0008_pools'),
        ('nodes', '0011_evacuation'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='migration',
            name='compute_migration_state',
        ),
        migrations.AddField(
            model_name='migration',
            name='kind',
            field=models.CharField(db_default='migrate', default='migrate', max_length=8),
        ),
        migrations.AddConstraint(
            model_name='migration',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', {'arrived': frozenset(['done']), 'cancelled': frozenset([]), 'done': frozenset([]), 'failed': frozenset([]), 'moving': frozenset(['arrived', 'cancelled', 'failed']), 'placing': frozenset(['cancelled', 'failed', 'preparing']), 'preparing': frozenset(['cancelled', 'done', 'failed', 'moving'])})), name='compute_migration_state'),
        ),
        migrations.AddConstraint(
            model_name='migration',
            constraint=models.CheckConstraint(condition=models.Q(('kind', 'migrate'), models.Q(('kind', 'evacuate'), models.Q(('state__in', ['moving', 'arrived']), _negated=True)), _connector='OR'), name='compute_migration_kind'),
        ),
        migrations.RunSQL(FENCED, UNFENCED),
        migrations.RunSQL(KEPT, NOT_KEPT),
        migrations.RunSQL(MOVED, NOT_MOVED),
    ]
