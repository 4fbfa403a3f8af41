"""Single-use credentials under concurrent use, on committed rows."""

import base64
import time
from collections.abc import Callable

import pytest
from django.db import transaction
from django_otp.oath import TOTP
from pytest_django import Settings

from controlplane.identity.models import User
from controlplane.identity.services import user_create
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.signin import passwords, secret_tokens, totp
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.credentials import password_set
from controlplane.signin.models import Ceremony, PasswordLink, RecoveryCode, Session, Totp
from controlplane.signin.openid import services as openid
from controlplane.signin.openid.services import Answer
from controlplane.signin.passkeys import SIGN_IN, Response, _challenge_of
from controlplane.signin.second_factors import Proof
from controlplane.signin.sessions import session_create
from tests.api import user_accounts
from tests.services.threads import at_once, split

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 6
PASSWORD = "three small green doors"


@pytest.fixture
def ada(transactional_db: None, settings: Settings) -> User:
    """With codes and recovery codes."""
    settings.PASSWORD_HASHERS = [user_accounts.QUICK]
    user = user_create(email="ada@acme.example")
    passwords.put(user, PASSWORD)
    return user


def wins(call: Callable[[], object]) -> int:
    """Return the number of successes of many; each other call must raise a CloudError."""
    won, lost = split(at_once([call] * MANY))
    assert [exc for exc in lost if not isinstance(exc, CloudError)] == []
    return len(won)


def sign_in(proof: Proof) -> object:
    return session_create(ClientInfo(), email="ada@acme.example", password=PASSWORD, proof=proof)


def test_concurrent_use_of_a_code_signs_in_once(ada: User) -> None:
    shown, _ = totp.begin(ada)
    Totp.objects.update(confirmed_at=clock.now())
    reader = TOTP(base64.b32decode(shown))
    reader.time = time.time()
    assert wins(lambda: sign_in(Proof(totp=f"{reader.token():06}"))) == 1
    assert Session.objects.count() == 1


def test_concurrent_use_of_a_recovery_code_signs_in_once(ada: User) -> None:
    totp.begin(ada)
    Totp.objects.update(confirmed_at=clock.now())
    codes = totp.new_recovery_codes(ada)
    assert wins(lambda: sign_in(Proof(recovery_code=codes[0]))) == 1
    assert RecoveryCode.objects.count() == len(codes) - 1


def test_concurrent_use_of_a_link_sets_one_password(ada: User) -> None:
    link, digest = secret_tokens.new(secret_tokens.LINK)
    PasswordLink.objects.create(user=ada, sha256=digest, expires_at=clock.now() + openid.LASTS)
    assert wins(lambda: password_set(ClientInfo(), link_secret=link, new_password="four large blue windows")) == 1


def test_concurrent_use_of_a_state_or_challenge_succeeds_once(ada: User) -> None:
    state, digest = secret_tokens.new("")
    openid.OpenIdSignIn.objects.create(
        provider="staff",
        state_sha256=digest,
        binding_sha256=digest,
        nonce="n",
        verifier="v",
        redirect_uri="https://console.example",
        expires_at=clock.now() + openid.LASTS,
    )
    assert wins(lambda: openid._consume_sign_in(Answer(state=state, code="c", binding="b"))) == 1
    ceremony = Ceremony.objects.create(purpose=SIGN_IN, challenge=b"x", expires_at=clock.now() + openid.LASTS)
    answer = Response(str(ceremony.pk), {})
    assert wins(lambda: transaction.atomic(_challenge_of)(answer, SIGN_IN)) == 1
