"""People sign in from the command line, with all that the control plane has for it."""

import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.api.user_accounts import code
from tests.clients.cli import Cli, Inside, inside
from tests.clients.conftest import Live
from tests.limits import PATIENCE_S
from tests.ports import free_port
from tests.processes import line_with, running

pytestmark = pytest.mark.slow

EMAIL, PASSWORD = "ada@people.example", "four large blue windows"
CLIENT_SECRET = "a-secret-of-thirty-two-bytes-or-more"


@pytest.fixture
def ada(tmp_path: Path) -> Inside:
    """Return a user's command line without a configuration."""
    return Inside(Path("andromede"), tmp_path)


@pytest.fixture(scope="module")
def known(live: Live) -> None:
    manage = live.cloud.stack.manage
    manage("create_user", EMAIL)
    manage("add_member", "demo", EMAIL, "owner")
    manage("set_password", EMAIL, stdin=f"{PASSWORD}\n")


def kept(home: Path) -> str:
    file = home / "config" / "andromede" / "profiles.yaml"
    return str(yaml.safe_load(file.read_text())["profiles"]["default"].get("token", ""))


def test_user_signs_in_with_password_and_second_factor(ada: Inside, live: Live, known: None) -> None:
    assert ada("login", live.url, "--email", EMAIL, stdin="three small green doors\n").code == 7
    first = ada.ok("login", live.url, "--email", EMAIL, stdin=f"{PASSWORD}\n")
    assert "andromede totp enrol" in first.err and PASSWORD not in first.err  # an owner cannot do without
    assert ada("project", "list").code == 7
    secret = ada.ok("totp", "enrol", "-o", "json").json["secret"]
    codes = ada.ok("totp", "confirm", "-o", "json", stdin=f"{code(secret, steps=-1)}\n").json["recovery_codes"]
    assert ada.ok("session", "methods", "-o", "json").json["has_totp"] is True
    signed_in = ada.ok("login", live.url, "--email", EMAIL, stdin=f"{PASSWORD}\n{code(secret)}\n")
    assert "project demo" in signed_in.err
    assert ada.ok("whoami", "-o", "json").json["user"]["email"] == EMAIL
    ada.ok("session", "verify", stdin=f"{codes[0]}\n")
    assert len(ada.ok("session", "list", "-o", "json").json) == 2
    ada.ok("session", "end-others", "-y")
    session = kept(ada.home)
    assert "has ended" in ada.ok("logout").err
    assert kept(ada.home) == ""
    assert ada("whoami", ANDROMEDE_TOKEN=session).code == 7
    ada.ok("login", live.url, "--email", EMAIL, stdin=f"{PASSWORD}\n{codes[1]}\n")
    changed = "five long yellow roads"
    ada.ok("password", "change", stdin=f"{PASSWORD}\n{changed}\n")
    assert ada("user", "password-link", EMAIL, ANDROMEDE_TOKEN=live.operator).code == 7, "a token is not enough"
    assert ada("password-reset", "create", EMAIL, ANDROMEDE_TOKEN=live.operator).code == 7, "nor for one in use"
    assert ada.ok("password-reset", "list", "-o", "json").json == []
    assert ada("password-reset", "show", "none").code == 3
    assert ada("password-reset", "confirm", "none", "-y").code == 3
    assert ada("password-reset", "withdraw", "none", "-y").code == 3
    secret = live.cloud.stack.manage("create_password_link", EMAIL)
    ada.ok("password", "set", stdin=f"{secret}\n{PASSWORD}\n")
    assert ada("session", "list").code == 7  # a new password ends all sessions


def test_optional_second_factor_can_be_removed(tmp_path: Path, live: Live, token: str) -> None:
    bob, owner, email = Inside(Path("andromede"), tmp_path), inside(tmp_path, live, token), "bob@people.example"
    invited = owner.ok("invitation", "create", email, "--role", "viewer", "--organization", "demo", "-o", "name")
    owner.ok("invitation", "accept", stdin=invited.out, ANDROMEDE_TOKEN="")
    link = live.cloud.stack.manage("create_password_link", email)
    bob.ok("password", "set", stdin=f"{link}\n{PASSWORD}\n", ANDROMEDE_URL=live.url)
    bob.ok("login", live.url, "--email", email, stdin=f"{PASSWORD}\n")
    secret = bob.ok("totp", "enrol", "-o", "json").json["secret"]
    first = bob.ok("totp", "confirm", "-o", "json", stdin=f"{code(secret)}\n").json["recovery_codes"]
    assert bob("totp", "recovery-codes").code == 2  # it asks
    fresh = bob.ok("totp", "recovery-codes", "-y", "-o", "json").json["recovery_codes"]
    assert set(fresh).isdisjoint(first)
    bob.ok("totp", "remove", "-y")
    assert bob.ok("session", "methods", "-o", "json").json["has_totp"] is False
    assert bob.ok("passkey", "list", "-o", "json").json == []
    assert bob("passkey", "remove", "none", "-y").code == 3
    session = bob.ok("session", "list", "-o", "json").json[0]["id"]
    assert bob.ok("session", "show", session, "-o", "json").json["is_current"] is True
    bob.ok("session", "end", session, "-y")
    assert bob("whoami").code == 7
    bob.ok("login", live.url, "--email", email, stdin=f"{PASSWORD}\n")
    assert bob("user", "end-sessions", email, "-y").code == 7
    owner.ok("user", "end-sessions", email, "-y", ANDROMEDE_TOKEN=live.operator)
    assert bob("whoami").code == 7


def test_user_is_suspended_and_ended(tmp_path: Path, live: Live, token: str) -> None:
    bob = Inside(Path("andromede"), tmp_path / "bob")
    email = "rob@people.example"
    live.cloud.stack.manage("create_user", email)
    live.cloud.stack.manage("add_member", "demo", email, "viewer")
    live.cloud.stack.manage("set_password", email, stdin=f"{PASSWORD}\n")
    bob.ok("login", live.url, "--email", email, stdin=f"{PASSWORD}\n")
    assert bob("user", "list", ANDROMEDE_TOKEN=token).code == 7
    operator = inside(tmp_path, live, live.operator)
    assert operator.ok("user", "show", email, "-o", "json").json["state"] == "active"
    operator.ok("user", "suspend", email, "--reason", "theft", "--revoke-tokens", "-y")
    assert [each["email"] for each in operator.ok("user", "list", "--state", "suspended", "-o", "json").json] == [email]
    refused = bob("login", live.url, "--email", email, stdin=f"{PASSWORD}\n")
    assert refused.code == 7 and "suspended" in refused.err
    operator.ok("user", "reinstate", email)
    bob.ok("login", live.url, "--email", email, stdin=f"{PASSWORD}\n")
    operator.ok("user", "take-duty", email, "-y")
    bob.ok("user", "lay-down-duty", "-y")
    operator.ok("user", "end", email, "-y")
    assert bob("whoami").code == 7
    assert operator.ok("token", "list", "--platform", "-o", "json").json[0]["is_platform"] is True


def test_conflicting_sign_in_methods_are_refused(ada: Inside, live: Live) -> None:
    assert ada("login", live.url, "--email", EMAIL, "--openid", "staff").code == 2
    assert ada("login", live.url, "--token").code == 2  # there is nothing on standard input
    unknown = ada("login", live.url, "--openid", "nobody")
    assert unknown.code == 3 and "signin.provider.not_found" in unknown.err


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def staff(live: Live, tmp_path: Path, port: int) -> Iterator[str]:
    """A provider as a process of its own, which the control plane trusts."""
    back = f"http://127.0.0.1:{port}/signed-in"
    claims = {"email": "grace@people.example", "email_verified": True, "groups": ["cloud"]}
    client = {"client_id": "andromede", "client_secret": CLIENT_SECRET, "redirect_uri": back}
    config = tmp_path / "provider.json"
    config.write_text(json.dumps({**client, "users": {"grace": {"password": "pw", "claims": claims}}}))
    script = Path(__file__).parents[1] / "openid" / "provider.py"
    secret = tmp_path / "secret"
    secret.write_text(CLIENT_SECRET)
    with running([sys.executable, script, config], stdout=subprocess.PIPE) as process:
        issuer = line_with("http", process.stdout).strip()
        known = {"name": "staff", "issuer": issuer, "client_id": "andromede", "client_secret_file": str(secret)}
        groups = {"cloud": {"organization": "demo", "role": "viewer"}}
        live.providers.write_text(json.dumps({"providers": [{**known, "redirect_uris": [back], "groups": groups}]}))
        yield issuer
    live.providers.write_text('{"providers": []}')


def test_user_signs_in_with_an_openid_provider(
    commands: Path, tmp_path: Path, live: Live, staff: str, port: int
) -> None:
    cli = Cli(commands / "andromede", tmp_path)
    words = [cli.program, "login", live.url, "--openid", "staff", "--port", str(port)]
    with running(words, env=cli.environment(), stderr=subprocess.PIPE) as process:
        url = line_with("Sign in here: ", process.stderr).partition("Sign in here: ")[2].strip()
        assert url.startswith(staff)
        other = httpx.get(f"http://127.0.0.1:{port}/signed-in?code=x&state=y")
        assert other.status_code == 404, "not the one it waits for"
        field = re.search(r'name="token" value="([^"]+)"', httpx.get(url).text)
        assert field is not None
        form = {"token": html.unescape(field[1]), "username": "grace", "password": "pw"}
        back = httpx.post(f"{staff}/verify", data=form).headers["Location"]
        assert "Signed in" in httpx.get(back).text
        _out, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    me = Inside(Path("andromede"), tmp_path)
    assert me.ok("whoami", "-o", "json").json["user"]["email"] == "grace@people.example"
    (identity,) = me.ok("identity", "list", "-o", "json").json
    assert identity["issuer"] == staff
    me.ok("identity", "unlink", identity["id"], "-y")
    assert me.ok("identity", "list", "-o", "json").json == []
    me.ok("logout")
    assert me("whoami").code == 7
