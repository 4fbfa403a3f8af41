"""What is used of a pool is the sum of its allocations, as with a node's inventory. Who arrives takes over the share of the
pool that it had where it was: nothing more than before."""

import importlib

import django.db.models.deletion
from django.db import migrations, models

COUNT = """
CREATE FUNCTION placement_count_pool() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') AND OLD.pool_gib > 0 THEN
        UPDATE nodes_pool SET used_gib = used_gib - OLD.pool_gib WHERE id = OLD.pool_id;
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') AND NEW.pool_gib > 0 THEN
        UPDATE nodes_pool SET used_gib = used_gib + NEW.pool_gib WHERE id = NEW.pool_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER placement_count_pool AFTER INSERT OR DELETE OR UPDATE OF pool_id, pool_gib ON placement_allocation
    FOR EACH ROW EXECUTE FUNCTION placement_count_pool();
"""
UNCOUNT = "DROP TRIGGER placement_count_pool ON placement_allocation; DROP FUNCTION placement_count_pool();"
BEFORE = importlib.import_module("controlplane.placement.migrations.0011_second_places")
DISK = "AND NEW.disk_gib <= OLD.disk_gib THEN"
SHARE = """AND NEW.disk_gib <= OLD.disk_gib
       AND (NEW.pool_gib <= OLD.pool_gib OR (NEW.moving_id IS NULL AND OLD.moving_id IS NOT NULL)) THEN"""


def _fresh(share: str) -> str:
    names = {which.lower(): f"COALESCE({which}.moving_id, {which}.consumer_id)" for which in ("NEW", "OLD")}
    return str(BEFORE.FRESH.format(**names)).replace(DISK, share)


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0004_versions'),
        ('nodes', '0009_pools'),
        ('placement', '0011_second_places'),
    ]

    operations = [
        migrations.AddField(
            model_name='allocation',
            name='pool',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='nodes.pool'),
        ),
        migrations.AddField(
            model_name='allocation',
            name='pool_gib',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddConstraint(
            model_name='allocation',
            constraint=models.CheckConstraint(condition=models.Q(('pool_gib', 0), ('pool__isnull', False), _connector='OR'), name='placement_allocation_gib_of_pool'),
        ),
        migrations.RunSQL(COUNT, UNCOUNT),
        migrations.RunSQL(_fresh(SHARE), _fresh(DISK)),
    ]
