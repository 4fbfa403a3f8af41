"""Passkeys, with an authenticator in software."""

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db.models import F
from hypothesis import HealthCheck, given, settings, strategies
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.identity.models import Organization
from controlplane.identity.services import organization_create, project_create
from controlplane.kernel import clock
from controlplane.kernel.ids import new_id
from controlplane.signin.models import Ceremony, Passkey, Session
from controlplane.signin.sessions import purge
from tests.api import user_accounts
from tests.api.authenticator import Authenticator, b64, unb64
from tests.api.client import Answer, Caller
from tests.api.user_accounts import PASSWORD, Person, code, enrol_totp, make_person

pytestmark = pytest.mark.django_db
REFUSED = (403, "signin.passkey_refused", None)
WRONG = (403, "signin.wrong_proof", None)
DEMANDED = (403, "signin.second_factor_demanded", None)
ANYBODY = Caller(token=None)


@pytest.fixture(autouse=True)
def pages(settings: Settings) -> None:
    settings.PASSKEY_ORIGINS = ["https://console.example", "https://console.example:8443"]
    settings.PASSWORD_HASHERS = [user_accounts.QUICK]


@pytest.fixture
def acme(db: None) -> Organization:
    acme = organization_create(name="acme")
    project_create(acme, name="web")
    return acme


@pytest.fixture
def ada(acme: Organization) -> Person:
    return make_person("ada", organization=acme)


def register(caller: Caller, device: Authenticator, *, name: str = "ring") -> Answer:
    challenge = caller.post("/v1/passkeys/actions/challenge").body
    body = {"ceremony": challenge["ceremony"], "credential": device.create(challenge["options"]), "name": name}
    return caller.post("/v1/passkeys", body)


def registered(caller: Caller, **more: Any) -> Authenticator:
    device = Authenticator()
    answer = register(caller, device, **more)
    assert answer.status == 201, answer.text
    return device


def answer_of(device: Authenticator) -> dict[str, Any]:
    challenge = ANYBODY.post("/v1/passkey-sessions/actions/challenge").body
    return {"ceremony": challenge["ceremony"], "credential": device.get(challenge["options"])}


def sign_in(device: Authenticator) -> Answer:
    return ANYBODY.post("/v1/passkey-sessions", answer_of(device))


def test_a_passkey_signs_in_alone(ada: Person) -> None:
    device = registered(ada.signed_in())
    answer = sign_in(device)
    assert (answer.status, answer.body["methods"], answer.body["is_two_factor"]) == (201, ["passkey"], True)
    assert [e["name"] for e in Caller(token=answer.body["secret"]).get("/v1/projects").body["items"]] == ["web"]
    passkey = Passkey.objects.get()
    assert (passkey.sign_count, passkey.last_used_at is not None) == (2, True)
    verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs[-3:] == ["session.create", "passkey.register", "session.create"]


def test_challenge_requires_a_discoverable_key_and_user_verification(ada: Person) -> None:
    caller = ada.signed_in()
    device = registered(caller)
    options = caller.post("/v1/passkeys/actions/challenge").body["options"]
    selection = options["authenticatorSelection"]
    assert (selection["residentKey"], selection["userVerification"]) == ("required", "required")
    assert (options["rp"]["id"], options["user"]["name"]) == ("console.example", ada.user.email)
    assert [each["id"] for each in options["excludeCredentials"]] == [b64(device.credential_id)]
    options = ANYBODY.post("/v1/passkey-sessions/actions/challenge").body["options"]
    assert (options["userVerification"], options["allowCredentials"]) == ("required", [])


def test_a_passkey_is_a_second_factor(ada: Person) -> None:
    here, elsewhere = ada.signed_in(), ada.signed_in()
    device = registered(here)
    assert here.get("/v1/sessions/current").body["methods"] == ["password", "passkey"]
    assert ada.sign_in().problem[1] == "signin.code_needed"
    answer = ada.sign_in(passkey=answer_of(device))
    assert (answer.status, answer.body["methods"]) == (201, ["password", "passkey"])
    assert ada.sign_in(password="wrong", passkey=answer_of(device)).problem[1] == "signin.refused"
    assert elsewhere.get("/v1/projects").problem == DEMANDED
    assert elsewhere.post("/v1/sessions/actions/verify", {"passkey": answer_of(device)}).status == 200
    assert elsewhere.get("/v1/projects").status == 200


def test_several_passkeys_are_named_and_removed(ada: Person) -> None:
    caller = ada.signed_in()
    ring, phone = registered(caller), registered(caller, name="phone")
    assert register(caller, Authenticator(), name="phone").problem == (409, "signin.passkey_taken", "/name")
    assert register(caller, phone, name="again").problem == (409, "signin.passkey_taken", "/name")
    listed = caller.get("/v1/passkeys").body["items"]
    assert [each["name"] for each in listed] == ["phone", "ring"]
    assert caller.get("/v1/sign-in-methods").body["passkeys"] == 2
    assert caller.delete(f"/v1/passkeys/{listed[1]['id']}").status == 204
    assert sign_in(ring).problem == REFUSED
    assert sign_in(phone).status == 201
    assert caller.delete(f"/v1/passkeys/{listed[1]['id']}").problem == (404, "signin.passkey.not_found", None)


def test_last_factor_of_an_owner_is_not_removed(acme: Organization) -> None:
    caller = make_person("olga", organization=acme, role="owner").signed_in()
    assert caller.get("/v1/projects").problem == DEMANDED
    registered(caller)
    assert caller.get("/v1/projects").status == 200
    passkey = caller.get("/v1/passkeys").body["items"][0]["id"]
    assert caller.delete(f"/v1/passkeys/{passkey}").problem == (409, "signin.last_factor", None)
    enrol_totp(caller)
    assert caller.delete(f"/v1/passkeys/{passkey}").status == 204


def test_passkey_changes_need_a_fresh_proof(ada: Person) -> None:
    caller = ada.signed_in()
    device = registered(caller)
    Session.objects.update(proved_at=F("proved_at") - timedelta(minutes=6))
    passkey = caller.get("/v1/passkeys").body["items"][0]["id"]
    for answer in (caller.post("/v1/passkeys/actions/challenge"), caller.delete(f"/v1/passkeys/{passkey}")):
        assert answer.problem == (403, "signin.proof_too_old", None)
    assert caller.post("/v1/sessions/actions/verify", {"password": PASSWORD}).problem[1] == "signin.code_needed"
    assert caller.post("/v1/sessions/actions/verify", {"passkey": answer_of(device)}).status == 200
    assert caller.delete(f"/v1/passkeys/{passkey}").status == 204


def test_passkey_cannot_be_added_without_the_existing_factor(ada: Person) -> None:
    """An attacker has the password alone, in an older session."""
    here, elsewhere = ada.signed_in(), ada.signed_in()
    secret, _ = enrol_totp(here)
    assert elsewhere.post("/v1/passkeys/actions/challenge").problem == DEMANDED
    assert elsewhere.post("/v1/sessions/actions/verify", {"totp": code(secret)}).status == 200
    assert elsewhere.post("/v1/passkeys/actions/challenge").status == 201


# --- what is refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"is_verifying": False},
        {"origin": "https://evil.example"},
        {"origin": "http://console.example"},
        {"domain": "evil.example"},
    ],
)
def test_invalid_passkey_is_refused(ada: Person, wrong: dict[str, Any]) -> None:
    caller = ada.signed_in()
    assert register(caller, replace(Authenticator(), **wrong)).problem == REFUSED
    device = registered(caller)
    assert sign_in(replace(device, **wrong)).problem == REFUSED
    assert sign_in(replace(device, origin="https://console.example:8443")).status == 201


def test_wrong_key_or_user_is_refused(ada: Person, acme: Organization) -> None:
    bob = make_person("bob", organization=acme)
    hers, his = registered(ada.signed_in()), registered(bob.signed_in())
    assert sign_in(replace(hers, key=ec.generate_private_key(ec.SECP256R1()))).problem == REFUSED
    assert sign_in(replace(hers, user=bob.user.pk.bytes)).problem == REFUSED
    assert sign_in(Authenticator()).problem == REFUSED
    assert ada.sign_in(passkey=answer_of(his)).problem == WRONG
    assert Session.objects.filter(methods__contains=["passkey"]).count() == 2, "those that registered"


def test_cloned_passkey_is_detected_by_its_counter(ada: Person) -> None:
    device = registered(ada.signed_in())
    clone = replace(device)
    assert sign_in(device).status == 201
    assert sign_in(device).status == 201
    assert sign_in(clone).problem == REFUSED
    assert sign_in(device).status == 201


def test_passkey_without_a_counter_signs_in(ada: Person) -> None:
    device = Authenticator(counts=False)
    assert register(ada.signed_in(), device).status == 201
    assert [sign_in(device).status for _ in range(2)] == [201, 201]


def test_answer_is_valid_once_and_for_its_challenge(ada: Person) -> None:
    device = registered(ada.signed_in())
    first = answer_of(device)
    assert ANYBODY.post("/v1/passkey-sessions", first).status == 201
    assert ANYBODY.post("/v1/passkey-sessions", first).problem == REFUSED
    second, third = answer_of(device), answer_of(device)
    assert ANYBODY.post("/v1/passkey-sessions", second | {"ceremony": third["ceremony"]}).problem == REFUSED
    late = answer_of(device)
    Ceremony.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert ANYBODY.post("/v1/passkey-sessions", late).problem == REFUSED
    purge()
    assert not Ceremony.objects.exists()


def test_registration_challenge_is_bound_to_its_user(ada: Person, acme: Organization) -> None:
    hers, his = ada.signed_in(), make_person("bob", organization=acme).signed_in()
    challenge, device = hers.post("/v1/passkeys/actions/challenge").body, Authenticator()
    body = {"ceremony": challenge["ceremony"], "credential": device.create(challenge["options"]), "name": "x"}
    assert his.post("/v1/passkeys", body).problem == REFUSED
    to_sign_in = ANYBODY.post("/v1/passkey-sessions/actions/challenge").body
    body |= {
        "ceremony": to_sign_in["ceremony"],
        "credential": device.create(challenge["options"] | to_sign_in["options"]),
    }
    assert hers.post("/v1/passkeys", body).problem == REFUSED


def test_failures_lock_the_address_and_no_account(ada: Person) -> None:
    device = registered(ada.signed_in())
    broken = replace(device, key=ec.generate_private_key(ec.SECP256R1()))
    assert [sign_in(broken).problem[1] for _ in range(6)] == ["signin.passkey_refused"] * 5 + ["signin.locked"]
    assert ada.sign_in(passkey=answer_of(device)).status == 201
    caller = Caller(token=None)
    caller.http.defaults["REMOTE_ADDR"] = "198.51.100.2"
    assert caller.post("/v1/passkey-sessions", answer_of(device)).status == 201


def test_passkeys_are_off_without_origins(ada: Person, settings: Settings) -> None:
    settings.PASSKEY_ORIGINS = []
    off = (422, "signin.passkeys_off", None)
    assert ada.signed_in().post("/v1/passkeys/actions/challenge").problem == off
    assert ANYBODY.post("/v1/passkey-sessions/actions/challenge").problem == off


JUNK = strategies.one_of(
    strategies.none(), strategies.integers(), strategies.text(max_size=8), strategies.just([]), strategies.just({})
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=strategies.data())
def test_malformed_credential_is_refused(ada: Person, data: Any) -> None:
    caller = ada.signed_in()
    challenge, device = caller.post("/v1/passkeys/actions/challenge").body, Authenticator()
    credential = copy.deepcopy(device.create(challenge["options"]))
    path = data.draw(
        strategies.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "attestationObject"])
    )
    holder = credential if path in credential else credential["response"]
    if path in ("clientDataJSON", "attestationObject") and data.draw(strategies.booleans()):
        raw = bytearray(unb64(holder[path]))
        start = data.draw(strategies.integers(0, len(raw) - 1))
        raw[start : start + data.draw(strategies.integers(1, 8))] = data.draw(strategies.binary(max_size=8))
        holder[path] = b64(bytes(raw))
    else:
        holder[path] = data.draw(JUNK)
    body = {"ceremony": challenge["ceremony"], "credential": credential, "name": "x"}
    answer = caller.post("/v1/passkeys", json.loads(json.dumps(body)))
    assert answer.status in (201, 400, 403), answer.text
    Passkey.objects.all().delete()


def test_failures_of_others_lock_no_passkey(ada: Person) -> None:
    device = registered(ada.signed_in())
    for last in range(1, 8):
        ada.anybody.http.defaults["REMOTE_ADDR"] = f"198.51.100.{last}"
        for _ in range(5):
            bad = {"ceremony": str(new_id()), "credential": {"id": "x", "type": "public-key"}}
            assert ada.anybody.post("/v1/passkey-sessions", bad).problem == REFUSED
        assert ada.anybody.post("/v1/passkey-sessions", bad).problem[:2] == (403, "signin.locked")
    ada.anybody.http.defaults["REMOTE_ADDR"] = "203.0.113.9"
    assert ada.anybody.post("/v1/passkey-sessions", answer_of(device)).status == 201
