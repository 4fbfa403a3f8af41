"""Commands of manage.py apply to the last operator too, which the API refuses."""

import io

import pytest
from django.core.management import call_command

from controlplane.audit.models import AuditEntry
from controlplane.identity.models import User
from controlplane.identity.services import user_create

pytestmark = pytest.mark.django_db
EMAIL = "otto@cloud.example"


def manage(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_commands_apply_to_the_last_operator_too() -> None:
    user_create(email=EMAIL, is_operator=True)
    manage("suspend_user", EMAIL, "--reason", "theft")
    assert "otto@cloud.example\toperator\tsuspended\tno-second-factor\tnever\t0" in manage("list_users")
    manage("reinstate_user", EMAIL)
    manage("take_duty", EMAIL)
    assert (User.objects.get().platform_role, User.objects.get().state) == ("", "active")
    manage("end_user", EMAIL)
    assert User.objects.get().state == "ended"
    entry = AuditEntry.objects.get(verb="user.suspend")
    assert entry.facts["reason"] == "theft"
    assert "manage.py suspend_user" in entry.facts["by"]
