"""Users who sign in."""

import base64
import time
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher
from django_otp.oath import TOTP

from controlplane.identity.models import Organization, User
from controlplane.identity.services import membership_set, user_create
from controlplane.signin import passwords
from tests.api.client import Answer, Caller

PASSWORD = "three small green doors"
QUICK = "tests.api.user_accounts.QuickArgon2"
STEP_S = 30  # how long a code is shown
A_TEST_S = 8


class QuickArgon2(Argon2PasswordHasher):
    """A fast Argon2, for tests that do not measure the cost of a guess."""

    time_cost = 1
    memory_cost = 1024
    parallelism = 1


@dataclass
class Person:
    user: User
    anybody: Caller = field(default_factory=lambda: Caller(token=None))

    def sign_in(self, *, password: str = PASSWORD, **more: object) -> Answer:
        return self.anybody.post("/v1/sessions", {"email": self.user.email, "password": password, **more})

    def signed_in(self, **more: Any) -> Caller:
        answer = self.sign_in(**more)
        assert answer.status == 201, answer.text
        return Caller(token=answer.body["secret"], project="alpha")


def make_person(name: str, *, organization: Organization | None = None, role: str = "member", **duty: bool) -> Person:
    user = user_create(email=f"{name}@people.example", **duty)
    if organization is not None:
        membership_set(organization, user=user, role=role)
    passwords.put(user, PASSWORD)
    return Person(user)


def code(secret: str, *, steps: int = 0) -> str:
    """Return the code of an authenticator; `steps` of half a minute later."""
    reader = TOTP(base64.b32decode(secret))
    reader.time = time.time() + STEP_S * steps
    return f"{reader.token():06}"


def enrol_totp(caller: Caller) -> tuple[str, list[str]]:
    """Enrol TOTP; returns the secret and the recovery codes. It uses up the code of the step before now."""
    if (left_s := STEP_S - time.time() % STEP_S) < A_TEST_S:
        time.sleep(left_s)  # so that no step ends within the test
    secret = caller.post("/v1/totp").body["secret"]
    answer = caller.post("/v1/totp/actions/confirm", {"code": code(secret, steps=-1)})
    assert answer.status == 200, answer.text
    return secret, answer.body["recovery_codes"]
