"""Sign-in with a real OpenID provider: a process of its own, its form, its redirects."""

import base64
import hmac
import html
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.identity.actor import SYSTEM
from controlplane.identity.invitations import invitation_create
from controlplane.identity.models import Membership, Organization, Project, User
from controlplane.identity.services import (
    membership_set,
    organization_create,
    organization_delete,
    organization_update,
    project_create,
    user_create,
)
from controlplane.kernel import clock
from controlplane.signin.errors import OpenIdRefused
from controlplane.signin.models import GivenMembership, Identity, OpenIdSignIn
from controlplane.signin.openid import claims, oidc_http
from controlplane.signin.openid.providers import all_providers
from controlplane.signin.sessions import purge
from tests.api import user_accounts
from tests.api.client import Answer, Caller
from tests.api.user_accounts import make_person
from tests.processes import line_with, running

pytestmark = pytest.mark.django_db
SECRET = "a-secret-of-thirty-two-bytes-or-more"
BACK = "https://console.example/signed-in"
OVER = (401, "signin.openid.over", None)
REFUSED = (401, "signin.openid.refused", None)
PEOPLE = {
    "ada": {"email": "ada@people.example", "email_verified": True, "groups": ["cloud", "x"]},
    "eve": {"email": "eve@people.example", "email_verified": False, "groups": ["cloud"]},
    "tom": {"email": "tom@people.example", "email_verified": True, "groups": ["kitchen"]},
}


@dataclass
class Staff:
    """The provider, and its people's browsers."""

    issuer: str
    caller: Caller

    def begin(self, *, path: str = "sign-ins", caller: Caller | None = None) -> Any:
        answer = (caller or self.caller).post(f"/v1/openid-providers/staff/{path}", {"redirect_uri": BACK})
        assert answer.status == 201, answer.text
        return answer.body

    def browse(self, url: str, name: str, *, password: str = "pw") -> dict[str, str]:
        """Return the parameters of the redirect after the provider's form."""
        page = httpx.get(url)
        token = re.search(r'name="token" value="([^"]+)"', page.text)
        assert token is not None, page.text
        form = {"token": html.unescape(token[1]), "username": name, "password": password}
        answer = httpx.post(f"{self.issuer}/verify", data=form)
        assert answer.status_code == 302, answer.text
        back = httpx.URL(answer.headers["Location"])
        assert str(back).startswith(BACK)
        return {key: back.params[key] for key in ("state", "code", "iss")}

    def complete(self, body: dict[str, str]) -> Answer:
        return self.caller.post("/v1/openid-providers/staff/sessions", body)

    def sign_in(self, name: str) -> Answer:
        begun = self.begin()
        return self.complete({**self.browse(begun["authorization_url"], name), "binding": begun["binding"]})

    def send_to_provider(self, path: str, **change: Any) -> None:
        httpx.post(f"{self.issuer}/{path}", json=change).raise_for_status()

    def groups(self, name: str, *groups: str) -> None:
        self.send_to_provider("claims", user=name, claims={"groups": groups})


@contextmanager
def provider(folder: Path, *, is_in_id_token: bool) -> Iterator[str]:
    """The address of one that runs meanwhile."""
    config = folder / "config.json"
    document = {
        "client_id": "andromede",
        "client_secret": SECRET,
        "redirect_uri": BACK,
        "is_in_id_token": is_in_id_token,
        "users": {name: {"password": "pw", "claims": own} for name, own in PEOPLE.items()},
    }
    config.write_text(json.dumps(document))
    script = Path(__file__).parents[1] / "openid" / "provider.py"
    with running([sys.executable, script, config], stdout=subprocess.PIPE) as process:
        yield line_with("http", process.stdout).strip()


@pytest.fixture(scope="module", params=[True, False], ids=["claims-in-token", "claims-in-userinfo"])
def issuer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with provider(tmp_path_factory.mktemp("op"), is_in_id_token=request.param) as address:
        yield address


@pytest.fixture
def file(issuer: str, settings: Settings, tmp_path: Path) -> Path:
    return known(issuer, settings, tmp_path)


def known(issuer: str, settings: Settings, tmp_path: Path) -> Path:
    """The file of the settings that names it."""
    secret, file = tmp_path / "secret", tmp_path / "providers.json"
    secret.write_text(SECRET + "\n")
    settings.OPENID_PROVIDERS_FILE, settings.OPENID_PRIVATE_HOSTS = str(file), ["127.0.0.1"]
    settings.PASSWORD_HASHERS = [user_accounts.QUICK]
    listed(
        file,
        name="staff",
        issuer=issuer,
        client_id="andromede",
        client_secret_file=str(secret),
        redirect_uris=[BACK],
        groups={
            "cloud": {"organization": "acme", "role": "member"},
            "chiefs": {"organization": "acme", "role": "admin"},
            "lab": {"organization": "other", "role": "viewer"},
            "officers": {"organization": "acme", "role": "sovereignty_officer"},
            "nowhere": {"organization": "nothing", "role": "owner"},
        },
    )
    return file


def listed(file: Path, **change: Any) -> None:
    before = json.loads(file.read_text())["providers"][0] if file.exists() else {}
    file.write_text(json.dumps({"providers": [before | change]}))


@pytest.fixture
def staff(issuer: str, file: Path) -> Staff:
    for name in ("acme", "other"):
        project_create(organization_create(name=name), name=f"{name}-web")
    created = Staff(issuer, Caller(token=None))
    for name, own in PEOPLE.items():
        created.send_to_provider("claims", user=name, claims=own)
    return created


@pytest.fixture(autouse=True)
def nothing_is_known_of_providers() -> None:
    oidc_http.discovered.clear()


def test_new_user_gets_an_account_with_the_roles_of_the_groups(staff: Staff) -> None:
    assert staff.caller.get("/v1/openid-providers").body == {"items": [{"name": "staff", "title": "staff"}]}
    answer = staff.sign_in("ada")
    assert (answer.status, answer.body["methods"]) == (201, ["openid:staff"]), answer.text
    assert answer.body["is_two_factor"] is False
    caller = Caller(token=answer.body["secret"])
    assert [each["name"] for each in caller.get("/v1/projects").body["items"]] == ["acme-web"]
    user = User.objects.get()
    assert (user.email, user.is_operator, Membership.objects.get().role) == ("ada@people.example", False, "member")
    identity = caller.get("/v1/identities").body["items"][0]
    assert identity["issuer"] == staff.issuer
    assert staff.sign_in("ada").status == 201
    assert User.objects.count() == Identity.objects.count() == 1
    verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))
    ours = [verb for verb in verbs if verb.startswith(("identity", "membership", "session"))]
    assert ours == ["identity.link", "membership.set_by_group", "session.create", "session.create"]


def test_sign_in_stores_no_secret_and_is_deleted(staff: Staff) -> None:
    begun = staff.begin()
    row = str(OpenIdSignIn.objects.values().get())
    state = httpx.URL(begun["authorization_url"]).params["state"]
    assert state not in row
    assert begun["binding"] not in row
    staff.complete({**staff.browse(begun["authorization_url"], "ada"), "binding": begun["binding"]})
    assert not OpenIdSignIn.objects.exists()


def test_each_request_has_its_own_pkce_state_and_nonce(staff: Staff) -> None:
    first, second = (httpx.URL(staff.begin()["authorization_url"]).params for _ in range(2))
    assert (first["code_challenge_method"], first["response_type"], first["redirect_uri"]) == ("S256", "code", BACK)
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]


def test_unlisted_redirect_and_unknown_provider_are_refused(staff: Staff) -> None:
    for uri in ("https://evil.example/", BACK + "/", BACK + "?x=1", BACK.replace("https", "http")):
        answer = staff.caller.post("/v1/openid-providers/staff/sign-ins", {"redirect_uri": uri})
        assert answer.problem == (422, "signin.redirect_refused", "/redirect_uri")
    answer = staff.caller.post("/v1/openid-providers/nobody/sign-ins", {"redirect_uri": BACK})
    assert answer.problem == (404, "signin.provider.not_found", None)


# --- state, binding, code, verifier


def test_a_sign_in_is_completed_once(staff: Staff) -> None:
    begun = staff.begin()
    body = {**staff.browse(begun["authorization_url"], "ada"), "binding": begun["binding"]}
    assert staff.complete(body).status == 201
    assert staff.complete(body).problem == OVER


@pytest.mark.parametrize("wrong", [{"state": "x"}, {"binding": "x"}, {"iss": "https://evil.example"}])
def test_mismatched_completion_is_refused(staff: Staff, wrong: dict[str, str]) -> None:
    begun = staff.begin()
    body = {**staff.browse(begun["authorization_url"], "ada"), "binding": begun["binding"]}
    assert staff.complete(body | wrong).problem == OVER
    assert staff.complete(body).status == (201 if "state" in wrong else 401), "it was used up by the try"


def test_answer_without_an_announced_issuer_is_refused(staff: Staff, file: Path) -> None:
    """RFC 9207: where discovery announces it, an answer without `iss` is not the provider's."""
    issuer = all_providers()[0].issuer
    document = httpx.get(f"{issuer}{oidc_http.DISCOVERY}").json()
    for is_announced in (False, True):
        announced = document | {"authorization_response_iss_parameter_supported": is_announced}
        assert oidc_http.endpoints_in(announced, issuer).names_issuer is is_announced
    begun = staff.begin()
    until, endpoints = oidc_http.discovered[issuer]
    assert endpoints is not None
    oidc_http.discovered[issuer] = until, replace(endpoints, names_issuer=True)
    back = staff.browse(begun["authorization_url"], "ada") | {"binding": begun["binding"]}
    answer = staff.complete({name: text for name, text in back.items() if name != "iss"})
    assert answer.problem == REFUSED and "(iss)" in answer.text
    assert staff.sign_in("ada").status == 201


def test_sign_in_of_another_browser_is_not_completed(staff: Staff) -> None:
    """An attacker's state and code, brought into a victim's browser, which has begun one itself."""
    attackers, victims = staff.begin(), staff.begin()
    back = staff.browse(attackers["authorization_url"], "ada")
    assert staff.complete({**back, "binding": victims["binding"]}).problem == OVER


def test_code_of_another_sign_in_is_refused(staff: Staff) -> None:
    """The provider holds it against the verifier of the other (PKCE)."""
    victims, attackers = staff.begin(), staff.begin()
    stolen = staff.browse(victims["authorization_url"], "ada")["code"]
    own = staff.browse(attackers["authorization_url"], "eve")
    body = {**own, "code": stolen, "binding": attackers["binding"]}
    assert staff.complete(body).problem == REFUSED
    assert not User.objects.exists()


def test_expired_sign_in_is_refused(staff: Staff) -> None:
    begun = staff.begin()
    back = staff.browse(begun["authorization_url"], "ada")
    OpenIdSignIn.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert staff.complete({**back, "binding": begun["binding"]}).problem == OVER
    staff.begin()
    OpenIdSignIn.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    purge()
    assert not OpenIdSignIn.objects.exists()


def test_wrong_nonce_is_refused(staff: Staff) -> None:
    begun = staff.begin()
    back = staff.browse(begun["authorization_url"], "ada")
    OpenIdSignIn.objects.update(nonce="another")
    answer = staff.complete({**back, "binding": begun["binding"]})
    assert answer.problem == REFUSED
    assert "(nonce)" in answer.body["detail"]


# --- the ID token


@dataclass
class Token:
    text: str
    nonce: str
    keys: dict[str, Any]


@pytest.fixture
def token(staff: Staff) -> Token:
    """A real one."""
    provider = all_providers()[0]
    url = staff.begin()["authorization_url"]
    code = staff.browse(url, "ada")["code"]
    row = OpenIdSignIn.objects.get()
    endpoints = oidc_http.discover(provider)
    answer = oidc_http.exchange(provider, endpoints, code=code, verifier=row.verifier, redirect_uri=BACK)
    return Token(answer["id_token"], row.nonce, oidc_http.jwks(provider, endpoints))


def problem(token: Token, *, in_s: int = 0, **change: Any) -> str:
    """Why it is refused; empty: it is not."""
    provider = replace(all_providers()[0], **change)
    now = clock.now() + timedelta(seconds=in_s)
    try:
        claims.verified(provider, token.text, token.keys, nonce=token.nonce, now=now)
    except OpenIdRefused as exc:
        return str(exc.facts["reason"])
    return ""


def test_id_token_needs_issuer_audience_and_valid_time(token: Token) -> None:
    assert problem(token) == ""
    assert problem(token, client_id="another") != ""
    assert "(iss)" in problem(token, issuer="https://evil.example")
    assert problem(token, in_s=300) == "", "clocks differ a little"
    assert "(ExpiredTokenError)" in problem(token, in_s=400) or "(exp)" in problem(token, in_s=400)
    assert problem(token, in_s=-120) != "", "nor is one from the future good"
    assert "nonce" in problem(replace(token, nonce="another"))


def test_unlisted_algorithm_is_refused(token: Token) -> None:
    assert problem(token, algorithms=("ES256",)) != ""
    payload = jwt.decode(token.text, RSAKey.import_key(rsa(token)), algorithms=["RS256"]).claims
    by_another = jwt.encode({"alg": "RS256", "kid": rsa(token)["kid"]}, payload, RSAKey.generate_key(2048))
    head, body, signature = token.text.split(".")
    no_algorithm = b64(b'{"alg":"none"}')
    by_secret = f"{b64(json.dumps({'alg': 'HS256', 'kid': rsa(token)['kid']}).encode())}.{body}"
    pem = RSAKey.import_key(rsa(token)).as_pem(private=False)
    by_public_key = f"{by_secret}.{b64(hmac.digest(pem, by_secret.encode(), 'sha256'))}"
    changed = f"{head}.{body[:-4]}AAAA.{signature}"
    for forged in (by_public_key, by_another, changed, f"{no_algorithm}.{body}.", f"{head}.{body}.", "x", ""):
        assert problem(replace(token, text=forged)) != "", forged


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def rsa(token: Token) -> dict[str, Any]:
    return next(key for key in token.keys["keys"] if key["kty"] == "RSA")


def test_rotated_provider_keys_are_fetched(staff: Staff, token: Token) -> None:
    assert staff.sign_in("ada").status == 201
    staff.send_to_provider("rotate")
    provider = all_providers()[0]
    token.keys = oidc_http.jwks(provider, oidc_http.discover(provider))
    assert problem(token) != "", "what the old ones signed is over"
    assert staff.sign_in("ada").status == 201


# --- accounts


def test_an_account_with_the_same_address_is_not_taken_over(staff: Staff) -> None:
    for email in ("ada@people.example", "ADA@people.example"):
        user = user_create(email=email)
        assert staff.sign_in("ada").problem == (409, "signin.openid.address_taken", None)
        assert not Identity.objects.exists()
        user.delete()


def test_unverified_address_or_missing_group_gets_no_account(staff: Staff) -> None:
    for name, words in (("eve", "not verified your address"), ("tom", "groups")):
        answer = staff.sign_in(name)
        assert answer.problem == REFUSED
        assert words in answer.body["detail"]
    assert not User.objects.exists()


def invited(email: str, role: str = "viewer") -> str:
    acme = Organization.objects.get(name="acme")
    by = replace(SYSTEM, role="owner", organization_id=acme.pk)
    return invitation_create(by, acme, email=email, role=role, lifetime_days=7)[1]


def test_unsigned_acceptance_of_an_invitation_does_not_block_sign_in(staff: Staff) -> None:
    """An accepted invitation gives nothing more: a user with its link, signed in again, gets no membership."""
    token = invited("Tom@people.example")
    accept = "/v1/invitations/actions/accept"
    assert staff.caller.post(accept, {"token": token}).status == 200
    staff.groups("tom", "lab")
    answer = staff.sign_in("tom")
    assert answer.status == 201, answer.text
    assert [each.organization.name for each in Membership.objects.all()] == ["other"]
    assert staff.caller.post(accept, {"token": token}).status == 422
    assert Caller(token=answer.body["secret"]).post(accept, {"token": token}).status == 200
    assert {each.organization.name for each in Membership.objects.all()} == {"other", "acme"}
    assert User.objects.count() == 1


def test_account_with_a_password_is_not_taken_over(staff: Staff) -> None:
    staff.caller.post("/v1/invitations/actions/accept", {"token": invited("ada@people.example")})
    user_accounts.passwords.put(User.objects.get(), user_accounts.PASSWORD)
    assert staff.sign_in("ada").problem == (409, "signin.openid.address_taken", None)
    assert Membership.objects.count() == 1


def test_invited_user_gets_an_account_at_the_first_sign_in(staff: Staff) -> None:
    assert staff.sign_in("tom").problem == REFUSED, "none of the groups is worth anything"
    invited("tom@people.example")
    assert staff.sign_in("tom").status == 201
    assert (User.objects.get().email, Membership.objects.count()) == ("tom@people.example", 0)


def test_user_links_an_identity(staff: Staff) -> None:
    acme = Organization.objects.get(name="acme")
    person = make_person("ada", organization=acme, role="viewer")
    caller = person.signed_in()
    begun = staff.begin(path="links", caller=caller)
    body = {**staff.browse(begun["authorization_url"], "ada"), "binding": begun["binding"]}
    assert caller.post("/v1/openid-providers/staff/identities", body).status == 201
    answer = staff.sign_in("ada")
    assert answer.status == 201
    assert User.objects.count() == 1
    assert Membership.objects.get().role == "viewer", "what somebody was given by hand stays"
    identity = caller.get("/v1/identities").body["items"][0]["id"]
    assert caller.delete(f"/v1/identities/{identity}").status == 204
    assert caller.delete(f"/v1/identities/{identity}").problem == (404, "signin.identity.not_found", None)
    assert staff.sign_in("ada").problem[1] == "signin.openid.address_taken"


def test_link_is_no_sign_in_and_bound_to_its_user(staff: Staff) -> None:
    acme = Organization.objects.get(name="acme")
    ada, bob = (make_person(name, organization=acme).signed_in() for name in ("one", "two"))
    for path, expected in (("sessions", None), ("identities", bob)):
        begun = staff.begin(path="links", caller=ada)
        body = {**staff.browse(begun["authorization_url"], "ada"), "binding": begun["binding"]}
        answer = (expected or staff.caller).post(f"/v1/openid-providers/staff/{path}", body)
        assert answer.problem == OVER
    begun = staff.begin()
    body = {**staff.browse(begun["authorization_url"], "ada"), "binding": begun["binding"]}
    assert ada.post("/v1/openid-providers/staff/identities", body).problem == OVER
    assert not Identity.objects.exists()


def test_identity_is_linked_to_one_account(staff: Staff) -> None:
    assert staff.sign_in("ada").status == 201
    caller = make_person("bob", organization=Organization.objects.get(name="acme")).signed_in()
    begun = staff.begin(path="links", caller=caller)
    body = {**staff.browse(begun["authorization_url"], "ada"), "binding": begun["binding"]}
    answer = caller.post("/v1/openid-providers/staff/identities", body)
    assert answer.problem == (409, "signin.openid.identity_taken", None)


# --- groups


def roles() -> dict[str, str]:
    return dict(Membership.objects.values_list("organization__name", "role"))


def test_memberships_follow_the_groups_at_each_sign_in(staff: Staff) -> None:
    staff.sign_in("ada")
    caller = Caller(token=staff.sign_in("ada").body["secret"])
    staff.groups("ada", "cloud", "chiefs", "lab", "nowhere")
    staff.sign_in("ada")
    assert roles() == {"acme": "admin", "other": "viewer"}
    staff.groups("ada", "lab")
    staff.sign_in("ada")
    assert roles() == {"other": "viewer"}
    assert [each["name"] for each in caller.get("/v1/projects").body["items"]] == ["other-web"]
    staff.groups("ada")
    assert staff.sign_in("ada").status == 201
    assert roles() == {}
    assert not GivenMembership.objects.exists()


def test_groups_do_not_change_roles_granted_by_hand(staff: Staff) -> None:
    staff.sign_in("ada")
    other = Organization.objects.get(name="other")
    membership_set(other, user=User.objects.get(), role="admin")
    staff.groups("ada", "cloud", "lab")
    staff.sign_in("ada")
    staff.groups("ada")
    staff.sign_in("ada")
    assert roles() == {"other": "admin"}


def test_group_of_a_deleted_organization_gives_no_role(staff: Staff) -> None:
    Project.objects.filter(organization__name="other").update(deleted_at=clock.now())
    organization_delete(SYSTEM, Organization.objects.get(name="other"))
    staff.groups("ada", "cloud", "lab")
    assert staff.sign_in("ada").status == 201
    assert roles() == {"acme": "member"}


def test_new_organization_of_the_same_name_gets_no_members(staff: Staff, file: Path) -> None:
    staff.sign_in("ada")
    acme = Organization.objects.get(name="acme")
    organization_update(SYSTEM, acme, name="acme-old", labels={})
    taker = organization_create(name="acme")
    assert staff.sign_in("ada").status == 201
    assert [each.organization_id for each in Membership.objects.all()] == [acme.pk]
    listed(file, groups={"cloud": {"organization": str(taker.pk), "role": "viewer"}})
    assert staff.sign_in("ada").status == 201
    assert [each.organization_id for each in Membership.objects.all()] == [taker.pk], "by its id it is meant"


def test_groups_with_conflicting_roles_are_refused(staff: Staff) -> None:
    staff.groups("ada", "cloud", "officers")
    answer = staff.sign_in("ada")
    assert answer.problem == REFUSED
    assert "two duties in acme" in answer.body["detail"]
    staff.groups("ada", "officers")
    answer = staff.sign_in("ada")
    assert (answer.status, roles()) == (201, {"acme": "sovereignty_officer"})
    assert answer.body["needs_second_factor"] is True
    caller = Caller(token=answer.body["secret"])
    assert caller.get("/v1/projects").problem == (403, "signin.second_factor_demanded", None)
    User.objects.update(is_auditor=True)
    Membership.objects.all().delete()
    assert staff.sign_in("ada").problem == (409, "identity.duties_mixed", None)


def test_a_provider_may_vouch_for_the_second_factor(staff: Staff, file: Path) -> None:
    staff.groups("ada", "officers")
    listed(file, has_second_factor=True)
    answer = staff.sign_in("ada")
    assert (answer.body["is_two_factor"], answer.body["needs_second_factor"]) == (True, False)
    assert Caller(token=answer.body["secret"]).get("/v1/projects").status == 200


# --- the way to the provider


def test_private_address_of_a_provider_is_refused(
    staff: Staff, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.OPENID_PRIVATE_HOSTS = []
    provider = all_providers_of(settings, issuer="https://127.0.0.1")
    for issuer in ("https://127.0.0.1:1", "https://[::1]:1", "https://169.254.169.254", "https://localhost:1"):
        with pytest.raises(oidc_http.ProviderUnavailable):
            oidc_http.discover(replace(provider, issuer=issuer))
        assert "not on the public internet" in caplog.text
        caplog.clear()
    with pytest.raises(oidc_http.ProviderUnavailable):
        oidc_http.discover(replace(provider, issuer="http://93.184.215.14"))
    assert "no TLS" in caplog.text


def all_providers_of(settings: Settings, **change: Any) -> Any:
    listed(Path(settings.OPENID_PROVIDERS_FILE), **change)
    return all_providers()[0]


def test_provider_with_another_issuer_is_refused(staff: Staff, file: Path) -> None:
    listed(file, issuer=staff.issuer + "/")
    answer = staff.caller.post("/v1/openid-providers/staff/sign-ins", {"redirect_uri": BACK})
    assert answer.problem == (503, "signin.provider.unavailable", None)


def test_unavailable_provider_is_not_retried_at_once(staff: Staff, settings: Settings) -> None:
    provider = all_providers()[0]
    endpoints = oidc_http.discover(provider)
    settings.OPENID_PRIVATE_HOSTS = []  # so that it cannot be asked
    assert oidc_http.discover(provider) == endpoints
    oidc_http.discovered.clear()
    with pytest.raises(oidc_http.ProviderUnavailable):
        oidc_http.discover(provider)
    settings.OPENID_PRIVATE_HOSTS = ["127.0.0.1"]
    with pytest.raises(oidc_http.ProviderUnavailable):  # not again at once
        oidc_http.discover(provider)
    oidc_http.discovered[provider.issuer] = time.monotonic(), None  # as after FAILED_S
    assert oidc_http.discover(provider) == endpoints


def test_unavailable_provider_is_reported(staff: Staff, file: Path) -> None:
    listed(file, issuer="http://127.0.0.1:9")
    answer = staff.caller.post("/v1/openid-providers/staff/sign-ins", {"redirect_uri": BACK})
    assert answer.problem == (503, "signin.provider.unavailable", None)
    assert "Retry-After" in answer.headers


def test_wrong_client_secret_refuses_the_sign_in(staff: Staff, file: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("wrong")
    assert staff.sign_in("ada").problem == REFUSED
