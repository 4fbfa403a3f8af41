from django.db import migrations, models
from django.db.models import Q

INDEX = "{} INDEX CONCURRENTLY {} compute_attachment_volume_{}"
CREATE_ALONE = INDEX.format("CREATE UNIQUE", "", "alone") + " ON compute_attachment (volume_id) WHERE NOT is_shared"
CREATE_ONCE = INDEX.format("CREATE UNIQUE", "", "once") + " ON compute_attachment (volume_id, instance_id)"
DROP_ALONE, DROP_ONCE = (INDEX.format("DROP", "IF EXISTS", name) for name in ("alone", "once"))


class Migration(migrations.Migration):
    """The new indexes exist before the old one, of one attachment per volume, is dropped."""

    atomic = False

    dependencies = [
        ("compute", "0020_attachment_is_shared"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            # An attempt that was interrupted leaves an index that is not valid.
            database_operations=[
                migrations.RunSQL([DROP_ALONE, CREATE_ALONE], DROP_ALONE),
                migrations.RunSQL([DROP_ONCE, CREATE_ONCE], DROP_ONCE),
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name="attachment",
                    constraint=models.UniqueConstraint(
                        fields=["volume"], condition=Q(is_shared=False), name="compute_attachment_volume_alone"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="attachment",
                    constraint=models.UniqueConstraint(
                        fields=["volume", "instance"], name="compute_attachment_volume_once"
                    ),
                ),
            ],
        ),
        migrations.RemoveConstraint(model_name="attachment", name="compute_attachment_volume_taken"),
    ]
