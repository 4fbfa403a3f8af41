"""Passwords: rules for new ones, and verification. Hashes are Argon2, by Django's hashers."""

import secrets
import unicodedata
from functools import cache

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

from andromede_core.documents.messages import Message
from controlplane.identity.models import User
from controlplane.kernel import clock
from controlplane.signin.errors import PasswordRefused
from controlplane.signin.models import Password

LENGTH_MIN = 12
LENGTH_MAX = 256


def check_new(password: str, *, user: User, field: str) -> None:
    """Check a new password.

    Raises:
        PasswordRefused: it is easy to guess.
    """
    words = password.casefold()
    if len(password) < LENGTH_MIN:
        raise PasswordRefused(field=field, reason=Message("it needs {limit} characters or more.", limit=LENGTH_MIN))
    if len(set(password)) < LENGTH_MIN // 3:
        raise PasswordRefused(field=field, reason=Message("it repeats a few characters."))
    if len(words.replace(user.email.casefold(), "")) < LENGTH_MIN // 2:
        raise PasswordRefused(field=field, reason=Message("it is too similar to your address."))
    try:
        _common_passwords().validate(password)
    except ValidationError as exc:
        raise PasswordRefused(field=field, reason=Message("it is a common password.")) from exc


def put(user: User, password: str) -> None:
    """Store a password in place of the former one; the caller checks the rules."""
    written = {"encoded": make_password(_normal(password)), "changed_at": clock.now(), "updated_at": clock.now()}
    Password.objects.update_or_create(user=user, defaults=written)


def is_right(user: User | None, password: str) -> bool:
    """Verify a password, in the same time without a user or password. A hash with older parameters is replaced."""
    stored = Password.objects.filter(user=user).first() if user is not None else None
    if stored is None:
        check_password(_normal(password), _nobodys())
        return False

    def rehash(password: str) -> None:
        Password.objects.filter(pk=stored.pk, encoded=stored.encoded).update(encoded=make_password(password))

    return check_password(_normal(password), stored.encoded, setter=rehash)


def _normal(password: str) -> str:
    """Normalise Unicode, so that keyboards may compose é in either way."""
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys() -> str:
    return make_password(secrets.token_urlsafe(32))


@cache
def _common_passwords() -> CommonPasswordValidator:
    return CommonPasswordValidator()
