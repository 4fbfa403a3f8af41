"""Second factors: codes by the time, and recovery codes."""

from datetime import timedelta

import pytest
from django.db.models import F
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.identity.models import Organization
from controlplane.identity.services import membership_set, organization_create, project_create
from controlplane.kernel import clock
from controlplane.signin.models import RecoveryCode, Session, Totp
from tests.api import user_accounts
from tests.api.client import Caller
from tests.api.user_accounts import PASSWORD, Person, code, enrol_totp, make_person

pytestmark = pytest.mark.django_db
NEEDED = (401, "signin.code_needed", None)
WRONG = (403, "signin.wrong_proof", None)
DEMANDED = (403, "signin.second_factor_demanded", None)


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [user_accounts.QUICK]


@pytest.fixture
def acme(db: None) -> Organization:
    acme = organization_create(name="acme")
    project_create(acme, name="web")
    return acme


@pytest.fixture
def ada(acme: Organization) -> Person:
    return make_person("ada", organization=acme)


def test_enrolled_factor_is_required(ada: Person) -> None:
    caller = ada.signed_in()
    secret, _ = enrol_totp(caller)
    assert caller.get("/v1/sessions/current").body["methods"] == ["password", "totp"]
    assert ada.sign_in().problem == NEEDED
    answer = ada.sign_in(totp=code(secret))
    assert (answer.status, answer.body["methods"], answer.body["is_two_factor"]) == (201, ["password", "totp"], True)
    assert Caller(token=answer.body["secret"]).get("/v1/projects").status == 200


def test_otpauth_uri_has_the_fields_for_applications(ada: Person) -> None:
    body = ada.signed_in().post("/v1/totp").body
    assert body["otpauth_uri"] == (
        f"otpauth://totp/Andromede:ada%40people.example?secret={body['secret']}"
        "&issuer=Andromede&algorithm=SHA1&digits=6&period=30"
    )


def test_wrong_code_enrols_nothing(ada: Person) -> None:
    caller = ada.signed_in()
    secret = caller.post("/v1/totp").body["secret"]
    wrong = f"{(int(code(secret)) + 1) % 10**6:06}"
    assert caller.post("/v1/totp/actions/confirm", {"code": wrong}).problem == WRONG
    assert ada.sign_in().status == 201
    assert not RecoveryCode.objects.exists()


def test_the_secret_is_not_in_the_database(ada: Person) -> None:
    import base64

    secret = ada.signed_in().post("/v1/totp").body["secret"]
    ciphertext = bytes(Totp.objects.get().encrypted_secret)
    assert secret.encode() not in ciphertext
    assert base64.b32decode(secret) not in ciphertext
    assert secret not in str(list(AuditEntry.objects.values()))


def test_changed_secret_key_invalidates_codes_until_it_is_restored(ada: Person, settings: Settings) -> None:
    secret, recovery = enrol_totp(ada.signed_in())
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another one"
    assert ada.sign_in(totp=code(secret)).problem == WRONG
    assert ada.sign_in(recovery_code=recovery[0]).status == 201
    settings.SECRET_KEY_FALLBACKS = [old]
    Totp.objects.update(failed_at=None)
    assert ada.sign_in(totp=code(secret)).status == 201


def test_code_is_valid_once(ada: Person) -> None:
    secret, _ = enrol_totp(ada.signed_in())
    used = code(secret)
    assert ada.sign_in(totp=used).status == 201
    assert ada.sign_in(totp=used).problem == WRONG
    Totp.objects.update(failed_at=None)
    assert ada.sign_in(totp=code(secret, steps=-1)).problem == WRONG, "nor one from before it"
    Totp.objects.update(failed_at=None)
    assert ada.sign_in(totp=code(secret, steps=1)).status == 201


@pytest.mark.parametrize("written", ["12345", "abcdef", "１２３４５６", "-12345", "12 456"])
def test_malformed_code_is_refused(ada: Person, written: str) -> None:
    enrol_totp(ada.signed_in())
    assert ada.sign_in(totp=written).problem == WRONG


@pytest.mark.parametrize("steps", [-3, 3])
def test_codes_of_other_times_are_refused(ada: Person, steps: int) -> None:
    caller = ada.signed_in()
    secret = caller.post("/v1/totp").body["secret"]
    assert caller.post("/v1/totp/actions/confirm", {"code": code(secret, steps=steps)}).problem == WRONG


def test_wrong_codes_lock_the_factor_from_all_addresses(ada: Person) -> None:
    secret, recovery = enrol_totp(ada.signed_in())
    for number in range(4):
        ada.anybody.http.defaults["REMOTE_ADDR"] = f"198.51.100.{number}"
        Totp.objects.update(failed_at=None)
        assert ada.sign_in(totp="000000").problem == WRONG
    assert Totp.objects.get().failures == 4
    assert ada.sign_in(totp=code(secret)).problem == (403, "signin.locked", None)
    assert ada.sign_in(recovery_code=recovery[0]).status == 201
    Totp.objects.update(failures=40, failed_at=clock.now() - timedelta(minutes=61))
    assert ada.sign_in(totp=code(secret)).status == 201, "an hour is the longest"
    assert Totp.objects.get().failures == 0


def test_a_wrong_code_counts_as_a_failure_to_sign_in(ada: Person) -> None:
    enrol_totp(ada.signed_in())
    for _ in range(5):
        Totp.objects.update(failed_at=None)
        assert ada.sign_in(totp="000000").problem == WRONG
    Totp.objects.update(failed_at=None)
    assert ada.sign_in(totp="000000").problem == (403, "signin.locked", None)


def test_wrong_password_uses_no_code(ada: Person) -> None:
    secret, _ = enrol_totp(ada.signed_in())
    last_step = Totp.objects.get().last_step
    assert ada.sign_in(password="wrong", totp=code(secret)).problem[1] == "signin.refused"
    assert (Totp.objects.get().last_step, Totp.objects.get().failures) == (last_step, 0)


def test_recovery_code_is_valid_once(ada: Person) -> None:
    caller = ada.signed_in()
    _, recovery = enrol_totp(caller)
    assert len(set(recovery)) == 10
    written = recovery[0].replace("-", " ").upper()
    assert ada.sign_in(recovery_code=written).body["methods"] == ["password", "recovery_code"]
    assert ada.sign_in(recovery_code=recovery[0]).problem == WRONG
    assert caller.get("/v1/sign-in-methods").body["recovery_codes_left"] == 9
    stored = str(list(RecoveryCode.objects.values())) + str(list(AuditEntry.objects.values()))
    assert not any(each in stored for each in recovery)


def test_new_recovery_codes_replace_the_old(ada: Person) -> None:
    caller = ada.signed_in()
    _, old = enrol_totp(caller)
    new = caller.post("/v1/recovery-codes").body["recovery_codes"]
    assert ada.sign_in(recovery_code=old[0]).problem == WRONG
    assert ada.sign_in(recovery_code=new[0]).status == 201


def test_recovery_code_of_another_user_is_refused(ada: Person, acme: Organization) -> None:
    enrol_totp(ada.signed_in())
    _, others = enrol_totp(make_person("bob", organization=acme).signed_in())
    assert ada.sign_in(recovery_code=others[0]).problem == WRONG


def test_removal_of_a_factor_needs_a_fresh_proof_of_it(ada: Person) -> None:
    caller = ada.signed_in()
    secret, _ = enrol_totp(caller)
    Session.objects.update(proved_at=F("proved_at") - timedelta(minutes=6))
    for call, path in ((caller.delete, "/v1/totp"), (caller.post, "/v1/recovery-codes"), (caller.post, "/v1/totp")):
        assert call(path).problem == (403, "signin.proof_too_old", None)
    assert caller.post("/v1/sessions/actions/verify", {"password": PASSWORD}).problem == NEEDED
    assert caller.post("/v1/sessions/actions/verify", {"totp": code(secret)}).status == 200
    assert caller.post("/v1/totp").problem == (409, "signin.totp_there", None)
    for _ in range(2):
        assert caller.delete("/v1/totp").status == 204
    assert ada.sign_in().status == 201
    assert not RecoveryCode.objects.exists()
    assert AuditEntry.objects.filter(verb="totp.remove").count() == 1


def test_user_without_a_factor_proves_the_password(ada: Person) -> None:
    caller = ada.signed_in()
    Session.objects.update(proved_at=F("proved_at") - timedelta(minutes=6))
    assert caller.post("/v1/totp").problem == (403, "signin.proof_too_old", None)
    for body in ({}, {"password": "wrong"}, {"totp": "123456"}):
        assert caller.post("/v1/sessions/actions/verify", body).problem == WRONG
    assert caller.post("/v1/sessions/actions/verify", {"password": PASSWORD}).status == 200
    assert caller.post("/v1/totp").status == 201
    assert not Session.objects.get().is_two_factor


def test_older_session_must_prove_the_new_factor(ada: Person) -> None:
    here, elsewhere = ada.signed_in(), ada.signed_in()
    secret, _ = enrol_totp(here)
    assert elsewhere.get("/v1/projects").problem == DEMANDED
    for path in ("/v1/totp", "/v1/recovery-codes"):
        assert elsewhere.post(path).problem == DEMANDED, "nor does it get a factor of its own"
    assert elsewhere.delete("/v1/totp").problem == DEMANDED
    assert elsewhere.post("/v1/sessions/actions/verify", {"totp": code(secret)}).status == 200
    assert elsewhere.get("/v1/projects").status == 200


@pytest.mark.parametrize(
    ("role", "is_demanded"), [("owner", True), ("sovereignty_officer", True), ("admin", True), ("member", False)]
)
def test_privileged_roles_demand_a_second_factor(acme: Organization, role: str, is_demanded: bool) -> None:
    person = make_person("olga", organization=acme, role=role)
    answer = person.sign_in()
    caller = Caller(token=answer.body["secret"])
    assert answer.body["needs_second_factor"] == is_demanded
    assert caller.get("/v1/sign-in-methods").body["is_second_factor_demanded"] == is_demanded
    expected = DEMANDED if is_demanded else 200
    reached = caller.get("/v1/projects")
    assert (reached.problem if is_demanded else reached.status) == expected
    enrol_totp(caller)
    assert caller.get("/v1/projects").status == 200
    assert caller.delete("/v1/totp").status == (409 if is_demanded else 204)


def test_operator_needs_a_second_factor(db: None) -> None:
    caller = make_person("otto", is_operator=True).signed_in()
    assert caller.get("/v1/nodes").problem == DEMANDED
    assert caller.delete("/v1/sessions/current").status == 204


def test_new_privileged_role_demands_a_second_factor(ada: Person, acme: Organization) -> None:
    caller = ada.signed_in()
    membership_set(acme, user=ada.user, role="owner")
    assert caller.get("/v1/projects").problem == DEMANDED


def test_second_factor_demand_can_be_switched_off(acme: Organization, settings: Settings) -> None:
    settings.SECOND_FACTOR_DUTIES = []
    assert make_person("olga", organization=acme, role="owner").signed_in().get("/v1/projects").status == 200
