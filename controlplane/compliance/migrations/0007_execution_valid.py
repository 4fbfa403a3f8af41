from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("compliance", "0006_execution")]
    operations = [ValidateConstraint(model_name="remediationplan", name="compliance_plan_execution")]
