"""Each use of an exemption is a row. Uses from before were counted alone: they stay so."""

import django.db.models.deletion
from django.db import migrations, models

import controlplane.kernel.clock
import controlplane.kernel.ids

FORWARD = """
CREATE FUNCTION placement_exemptionuse_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the use of an exemption is fixed' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER placement_exemptionuse_fixed BEFORE UPDATE OR DELETE ON placement_exemptionuse
    FOR EACH ROW EXECUTE FUNCTION placement_exemptionuse_fixed();
"""
BACKWARD = """
DROP TRIGGER placement_exemptionuse_fixed ON placement_exemptionuse;
DROP FUNCTION placement_exemptionuse_fixed();
"""


class Migration(migrations.Migration):
    dependencies = [("placement", "0007_cosignature")]
    operations = [
        migrations.CreateModel(
            name="ExemptionUse",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=controlplane.kernel.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("updated_at", models.DateTimeField(default=controlplane.kernel.clock.now, editable=False)),
                ("operation_id", models.UUIDField(null=True)),
                ("decision_id", models.UUIDField()),
                (
                    "exemption",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="placement.exemption"),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="placement_exemptionuse_when")],
                "constraints": [
                    models.UniqueConstraint(fields=("exemption", "operation_id"), name="placement_exemptionuse_once")
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
