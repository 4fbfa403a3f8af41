"""Commands that help users to sign in."""

import io

import pytest
from django.core.management import CommandError, call_command

from controlplane.audit.models import AuditEntry
from controlplane.identity.models import User
from controlplane.identity.services import user_create
from controlplane.signin import lockout, passwords, totp
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.credentials import password_set
from controlplane.signin.models import Password, Totp

pytestmark = pytest.mark.django_db
GOOD = "three small green doors"


@pytest.fixture
def ada(db: None) -> User:
    return user_create(email="ada@acme.example")


def test_set_password_reads_stdin(
    ada: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GOOD}\nand more\n"))
    call_command("set_password", ada.email)
    assert passwords.is_right(ada, GOOD)
    assert GOOD not in "".join(capsys.readouterr())


def test_weak_password_or_unknown_user_is_refused(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(CommandError, match="12 characters"):
        call_command("set_password", ada.email)
    with pytest.raises(CommandError, match="no user"):
        call_command("set_password", "eve@acme.example")
    assert not Password.objects.exists()


def test_password_link_is_printed_alone(ada: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_password_link", ada.email)
    printed = capsys.readouterr().out.removesuffix("\n")
    assert password_set(ClientInfo(), link_secret=printed, new_password=GOOD) == ada
    assert passwords.is_right(ada, GOOD)


def test_lockout_is_ended(ada: User) -> None:
    for last in range(20):
        lockout.record_failure(ClientInfo(f"198.51.100.{last}"), ada.email)
    assert lockout.locked_until(ClientInfo(), ada.email)
    call_command("unlock_user", ada.email)
    assert lockout.locked_until(ClientInfo(), ada.email) is None
    assert AuditEntry.objects.get(verb="lockout.end").resource_id == ada.pk


def test_second_factors_are_removed(ada: User) -> None:
    totp.begin(ada)
    call_command("reset_second_factors", ada.email)
    assert not Totp.objects.exists()
