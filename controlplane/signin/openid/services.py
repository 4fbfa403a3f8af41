"""Sign-in with an OpenID provider: begun and completed here.

Each step that writes is a transaction of its own, and none is open during a request to the provider. Completion first
uses up the sign-in, whatever its result.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from httpx import URL

from andromede_core.documents.messages import Message
from controlplane.audit.services import record
from controlplane.identity.actor import Actor
from controlplane.identity.credentials import actor_for, need_active
from controlplane.identity.errors import NameTaken
from controlplane.identity.invitations import invitations_return, is_invited, is_merely_invited
from controlplane.identity.models import User
from controlplane.identity.services import user_create
from controlplane.kernel import clock
from controlplane.kernel.db import by_id
from controlplane.signin import resets, secret_tokens, sessions
from controlplane.signin.client_info import ClientInfo
from controlplane.signin.errors import (
    AddressTaken,
    IdentityNotFound,
    IdentityTaken,
    OpenIdOver,
    OpenIdRefused,
    RedirectRefused,
)
from controlplane.signin.models import Identity, OpenIdSignIn, Session
from controlplane.signin.openid import claims, groups, oidc_http
from controlplane.signin.openid.providers import Provider

LASTS = timedelta(minutes=10)
BINDING = "andromede_binding_"


@dataclass(frozen=True)
class SignInStart:
    """The URL for the browser, and the binding that proves at the end that the same program completes the sign-in."""

    authorization_url: str
    binding: str
    expires_at: Any


@dataclass(frozen=True)
class Answer:
    """The response: state, code and perhaps the issuer from the browser, the binding from the program that began."""

    state: str
    code: str
    binding: str
    iss: str = ""


def begin(provider: Provider, *, redirect_uri: str, user: User | None = None) -> SignInStart:
    """Begin a sign-in. `user`: signed in, and linking an identity.

    Raises:
        RedirectRefused: the redirect address is not allowed.
        ProviderUnavailable
    """
    if redirect_uri not in provider.redirect_uris:
        raise RedirectRefused(field="redirect_uri", name=provider.name)
    endpoint = oidc_http.discover(provider).authorization
    state, state_digest = secret_tokens.new("")
    binding, binding_digest = secret_tokens.new(BINDING)
    row = OpenIdSignIn(
        provider=provider.name,
        state_sha256=state_digest,
        binding_sha256=binding_digest,
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        redirect_uri=redirect_uri,
        user=user,
        expires_at=clock.now() + LASTS,
    )
    row.save(force_insert=True)
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": state,
        "nonce": row.nonce,
        "code_challenge": create_s256_code_challenge(row.verifier),
        "code_challenge_method": "S256",
    }
    return SignInStart(str(URL(endpoint).copy_merge_params(query)), binding, row.expires_at)


def session_create(provider: Provider, origin: ClientInfo, answer: Answer) -> tuple[Session, str]:
    """Complete a sign-in and create the session; a new user gets an account, if a group gives a membership.

    Raises:
        OpenIdOver: unknown, expired, or completed before.
        OpenIdRefused: the provider's response is not accepted.
        AddressTaken: an account that is not linked has the address.
        ProviderUnavailable, UserSuspended, UserEnded
    """
    found_claims = _complete(provider, answer, user=None)
    return _signed_in(provider, origin, found_claims)


def identity_link(actor: Actor, session: Session, provider: Provider, answer: Answer) -> Identity:
    """Link the user to the provider's identity, after a fresh proof of identity.

    Raises:
        IdentityTaken: the identity is linked to another account.
        ProofTooOld, OpenIdOver, OpenIdRefused, ProviderUnavailable
    """
    sessions.needs_fresh_proof(session)
    found_claims = _complete(provider, answer, user=session.user)
    return _linked(actor, session.user, provider, str(found_claims["sub"]))


@transaction.atomic
def identity_unlink(actor: Actor, session: Session, ref: str) -> None:
    """Unlink an identity, with the memberships that its groups gave.

    Raises:
        IdentityNotFound, ProofTooOld
    """
    identity = by_id(Identity.objects.filter(user=session.user), ref)
    if identity is None:
        raise IdentityNotFound(name=ref)
    sessions.needs_fresh_proof(session)
    groups.revoke_all(actor, identity)
    record(actor, "identity.unlink", identity.pk, issuer=identity.issuer)
    identity.delete()


def _complete(provider: Provider, answer: Answer, *, user: User | None) -> Mapping[str, Any]:
    """Return the provider's claims for a completed sign-in."""
    begun = _consume_sign_in(answer)
    if not _is_same(begun, provider, answer, user):
        raise OpenIdOver()
    endpoints = oidc_http.discover(provider)
    if endpoints.names_issuer and not answer.iss:
        raise OpenIdRefused(reason=Message("its answer names no issuer (iss)."))
    tokens = oidc_http.exchange(
        provider, endpoints, code=answer.code, verifier=begun.verifier, redirect_uri=begun.redirect_uri
    )
    keys = oidc_http.jwks(provider, endpoints)
    found_claims = dict(claims.verified(provider, tokens.get("id_token"), keys, nonce=begun.nonce, now=clock.now()))
    if not {provider.group_claim, "email"} <= found_claims.keys() and isinstance(tokens.get("access_token"), str):
        more = oidc_http.userinfo(provider, endpoints, tokens["access_token"])
        if more.get("sub") != found_claims["sub"] and more:
            raise OpenIdRefused(reason=Message("its user information is about another user."))
        found_claims = {**more, **found_claims}
    return found_claims


@transaction.atomic
def _consume_sign_in(answer: Answer) -> OpenIdSignIn:
    """Delete and return the sign-in of the state, whatever else fails.

    Raises:
        OpenIdOver
    """
    row = OpenIdSignIn.objects.select_for_update().filter(state_sha256=secret_tokens.digest(answer.state)).first()
    if row is None:
        raise OpenIdOver()
    OpenIdSignIn.objects.filter(pk=row.pk).delete()
    return row


def _is_same(row: OpenIdSignIn, provider: Provider, answer: Answer, user: User | None) -> bool:
    return (
        secrets.compare_digest(bytes(row.binding_sha256), secret_tokens.digest(answer.binding))
        and row.provider == provider.name
        and answer.iss in ("", provider.issuer)
        and row.user_id == (user.pk if user else None)
        and row.expires_at > clock.now()
    )


@transaction.atomic
def _signed_in(provider: Provider, origin: ClientInfo, found_claims: Mapping[str, Any]) -> tuple[Session, str]:
    roles = groups.roles_by_organization(provider.name, provider.granted(claims.groups_of(provider, found_claims)))
    identities = Identity.objects.select_for_update(of=("self",)).select_related("user")
    identity = identities.filter(issuer=provider.issuer, subject=found_claims["sub"]).first()
    if identity is None:
        identity = _newcomer(provider, found_claims, has_roles=bool(roles))
    need_active(identity.user)
    actor = actor_for(identity.user, credential_id=identity.pk, request_id=origin.request_id)
    groups.synchronise(actor, identity, roles)
    Identity.objects.filter(pk=identity.pk).update(last_used_at=clock.now())
    methods = [f"openid:{provider.name}"]
    return sessions.create_session(identity.user, origin, methods, is_two_factor=provider.has_second_factor)


def _newcomer(provider: Provider, found_claims: Mapping[str, Any], *, has_roles: bool) -> Identity:
    """Return an account for a new user, by the address, which the provider must have verified.

    If an invitation has created an account that was never used, it is that one, and its invitations have to be accepted
    again.
    """
    email = found_claims.get("email")
    if not has_roles and not (isinstance(email, str) and is_invited(email)):
        raise OpenIdRefused(reason=Message("none of your groups gives you a role here."))
    if not isinstance(email, str) or found_claims.get("email_verified") is not True:
        raise OpenIdRefused(reason=Message("it has not verified your address."))
    try:
        validate_email(email)
    except ValidationError as exc:
        raise OpenIdRefused(reason=Message("it has not verified your address.")) from exc
    existing = User.objects.filter(email__iexact=email).first()
    if existing is not None:
        return _invited(provider, existing, str(found_claims["sub"]))
    try:
        user = user_create(email=email)
    except NameTaken as exc:
        raise AddressTaken() from exc
    return _linked(actor_for(user, credential_id=user.pk), user, provider, str(found_claims["sub"]))


def _invited(provider: Provider, user: User, subject: str) -> Identity:
    need_active(user)
    if not is_merely_invited(user) or resets.is_proved(user):
        raise AddressTaken()
    actor = actor_for(user, credential_id=user.pk)
    invitations_return(actor, user)
    return _linked(actor, user, provider, subject)


@transaction.atomic
def _linked(actor: Actor, user: User, provider: Provider, subject: str) -> Identity:
    identity, _ = Identity.objects.get_or_create(issuer=provider.issuer, subject=subject, defaults={"user": user})
    if identity.user_id != user.pk:
        raise IdentityTaken()
    record(actor, "identity.link", identity.pk, issuer=provider.issuer)
    return identity
