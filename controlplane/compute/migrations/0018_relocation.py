from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Relocations: migrations to another zone."""

    dependencies = [
        ('catalog', '0012_volume_type_binding'),
        ('compute', '0017_keep_root_volume'),
    ]

    operations = [
        migrations.AddField(
            model_name='migration',
            name='requested_zone',
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=models.deletion.PROTECT,
                related_name='+',
                to='catalog.zone',
            ),
        ),
        migrations.RemoveConstraint(model_name='migration', name='compute_migration_kind'),
        AddConstraintNotValid(
            model_name='migration',
            constraint=models.CheckConstraint(
                condition=Q(kind__in=['migrate', 'relocate'])
                | Q(kind='evacuate') & ~Q(state__in=['moving', 'arrived']),
                name='compute_migration_kind',
            ),
        ),
        AddConstraintNotValid(
            model_name='migration',
            constraint=models.CheckConstraint(
                condition=Q(kind='relocate', requested_zone__isnull=False)
                | ~Q(kind='relocate') & Q(requested_zone__isnull=True),
                name='compute_migration_requested_zone',
            ),
        ),
    ]
