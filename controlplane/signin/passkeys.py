"""Passkeys (WebAuthn): key pairs on users' devices, used after the device has verified its user.

Each signs a challenge of this server, which is valid once. A passkey counts for two factors, since the device has
verified its user (by a finger, a face or a PIN), and signs in alone or after the password.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import webauthn
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django.conf import settings
from django.db import transaction
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.models import User
from controlplane.kernel import clock
from controlplane.kernel.db import by_id, raise_on_violation
from controlplane.signin.errors import PasskeyNotFound, PasskeyRefused, PasskeysOff, PasskeyTaken
from controlplane.signin.models import Ceremony, Passkey

PRODUCT = "Andromede"
LASTS = timedelta(minutes=5)
REGISTER, SIGN_IN = "register", "sign_in"
# Errors of the library for malformed responses, besides its own ones.
MALFORMED = (WebAuthnException, ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error)
BAD = (*MALFORMED, InvalidSignature, UnsupportedAlgorithm)


@dataclass(frozen=True)
class Challenge:
    """A challenge. `options` go to the browser's navigator.credentials."""

    ceremony: Ceremony
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Response:
    """The browser's response to the challenge of a ceremony."""

    ceremony: str
    credential: Mapping[str, Any]


def _domain() -> str:
    """Return the domain of the passkeys.

    Raises:
        PasskeysOff: the operator has not configured the pages of passkeys.
    """
    if not settings.PASSKEY_ORIGINS:
        raise PasskeysOff()
    return settings.PASSKEY_DOMAIN or str(urlsplit(settings.PASSKEY_ORIGINS[0]).hostname)


@transaction.atomic
def challenge_to_register(user: User) -> Challenge:
    """Return a challenge to register a passkey.

    Raises:
        PasskeysOff
    """
    registered = Passkey.objects.filter(user=user).values_list("credential_id", flat=True)
    options = webauthn.generate_registration_options(
        rp_id=_domain(),
        rp_name=PRODUCT,
        user_id=user.pk.bytes,
        user_name=user.email,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=bytes(each)) for each in registered],
    )
    return _begun(REGISTER, options, user=user)


@transaction.atomic
def challenge_to_sign_in() -> Challenge:
    """Return a challenge to sign in, the same for all accounts: the device knows its passkeys, and the response does
    not reveal whether an account has any.

    Raises:
        PasskeysOff
    """
    options = webauthn.generate_authentication_options(
        rp_id=_domain(), user_verification=UserVerificationRequirement.REQUIRED
    )
    return _begun(SIGN_IN, options)


def _begun(purpose: str, options: Any, *, user: User | None = None) -> Challenge:
    ceremony = Ceremony.objects.create(
        purpose=purpose, user=user, challenge=options.challenge, expires_at=clock.now() + LASTS
    )
    return Challenge(ceremony, json.loads(webauthn.options_to_json(options)))


def _challenge_of(response: Response, purpose: str, *, user: User | None = None) -> bytes:
    """Delete and return the challenge of a ceremony.

    Raises:
        PasskeyRefused
    """
    waiting = Ceremony.objects.select_for_update().filter(purpose=purpose, user=user, expires_at__gt=clock.now())
    ceremony = by_id(waiting, response.ceremony)
    if ceremony is None:
        raise PasskeyRefused()
    Ceremony.objects.filter(pk=ceremony.pk).delete()
    return bytes(ceremony.challenge)


@transaction.atomic
def register(user: User, response: Response, *, name: str) -> Passkey:
    """Store the public key of a new passkey.

    Raises:
        PasskeyRefused: wrong challenge, another page, or the user was not verified.
        PasskeyTaken: the name or the passkey exists already.
        PasskeysOff
    """
    domain, challenge = _domain(), _challenge_of(response, REGISTER, user=user)
    try:
        verified = webauthn.verify_registration_response(
            credential=dict(response.credential),
            expected_challenge=challenge,
            expected_rp_id=domain,
            expected_origin=settings.PASSKEY_ORIGINS,
            require_user_verification=True,
        )
    except BAD as exc:
        raise PasskeyRefused() from exc
    taken = PasskeyTaken(field="name", name=name)
    with raise_on_violation("signin_passkey_name_taken", taken), raise_on_violation("signin_passkey_once", taken):
        return Passkey.objects.create(
            user=user,
            name=name,
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            is_backed_up=verified.credential_backed_up,
        )


@transaction.atomic
def prove(response: Response, *, user: User | None = None) -> Passkey:
    """Return the passkey of a valid response; `user`: its required owner.

    Raises:
        PasskeyRefused: unknown passkey or invalid response. A signature count that does not grow is rejected too:
            there is a copy of the key.
        PasskeysOff
    """
    domain, challenge = _domain(), _challenge_of(response, SIGN_IN)
    try:
        answer = parse_authentication_credential_json(dict(response.credential))
        passkey = _known(answer.raw_id, user)
        holder = answer.response.user_handle
        if holder and bytes(holder) != passkey.user_id.bytes:
            raise PasskeyRefused()
        verified = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=domain,
            expected_origin=settings.PASSKEY_ORIGINS,
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except BAD as exc:
        raise PasskeyRefused() from exc
    passkey.sign_count, passkey.is_backed_up = verified.new_sign_count, verified.credential_backed_up
    passkey.last_used_at = clock.now()
    passkey.save(update_fields=["sign_count", "is_backed_up", "last_used_at"])
    return passkey


def _known(credential_id: bytes, user: User | None) -> Passkey:
    rows = Passkey.objects.select_for_update(of=("self",)).select_related("user").filter(credential_id=credential_id)
    passkey = rows.first()
    if passkey is None or (user is not None and passkey.user_id != user.pk):
        raise PasskeyRefused()
    return passkey


@transaction.atomic
def delete_passkey(actor: Actor, user: User, ref: str) -> None:
    """Delete a passkey. Raises PasskeyNotFound."""
    passkey = by_id(Passkey.objects.filter(user=user), ref)
    if passkey is None:
        raise PasskeyNotFound(name=ref)
    record(actor, "passkey.remove", passkey.pk, name=passkey.name)
    passkey.delete()
