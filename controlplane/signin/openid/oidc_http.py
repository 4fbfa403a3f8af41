"""HTTP requests to OpenID providers; no address in our network is reached on their behalf.

Endpoints in a provider's discovery document are fetched like the document itself: over https, from hosts on the public
internet, at the very address that was checked, and without following redirects. Hosts that the operator lists in
settings.OPENID_PRIVATE_HOSTS may be elsewhere, and without TLS.
"""

import logging
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from django.conf import settings

from andromede_core.documents.messages import Message
from controlplane.kernel import safe_http
from controlplane.signin.errors import OpenIdRefused, ProviderUnavailable
from controlplane.signin.openid.providers import Provider

log = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(10, connect=5)
ANSWER_MAX_BYTES = 512 * 1024
KEPT_S, FAILED_S = 3600, 10
DISCOVERY = "/.well-known/openid-configuration"


class Unreachable(httpx.TransportError):
    """The address is not allowed."""


class Guarded(httpx.HTTPTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        addresses = _addresses(request.url)
        for address in addresses[:-1]:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return self._at(address, request)
        return self._at(addresses[-1], request)

    def _at(self, address: safe_http.Address, request: httpx.Request) -> httpx.Response:
        request.extensions = {"sni_hostname": request.url.host, **request.extensions}
        request.url = request.url.copy_with(host=str(address))
        return super().handle_request(request)


def _addresses(url: httpx.URL) -> list[safe_http.Address]:
    """Return the allowed addresses. Raises Unreachable."""
    if url.scheme != "https" and url.host not in settings.OPENID_PRIVATE_HOSTS:
        raise Unreachable(f"{url.host}: no TLS")
    try:
        addresses = safe_http.addresses(url, private_hosts=settings.OPENID_PRIVATE_HOSTS)
    except (ValueError, safe_http.Unresolvable) as exc:
        raise Unreachable(str(exc)) from exc
    if not addresses:
        raise Unreachable(f"{url.host}: no address")
    return addresses


@dataclass(frozen=True)
class Endpoints:
    """Endpoints of a provider."""

    authorization: str
    token: str
    jwks: str
    userinfo: str | None
    names_issuer: bool  # with the code (RFC 9207)


# Cache by issuer: expiry (time.monotonic) and endpoints; None: the provider did not answer.
discovered: dict[str, tuple[float, Endpoints | None]] = {}


def discover(provider: Provider) -> Endpoints:
    """Return the provider's endpoints, fetched once in KEPT_S per process, since unauthenticated users cause it; after
    a failure not for FAILED_S.

    Raises:
        ProviderUnavailable: the provider does not answer, or has another issuer.
    """
    until, configuration = discovered.get(provider.issuer, (0.0, None))
    if time.monotonic() < until:
        if configuration is None:
            raise ProviderUnavailable(name=provider.name)
        return configuration
    try:
        endpoints = _discover(provider)
    except ProviderUnavailable:
        discovered[provider.issuer] = time.monotonic() + FAILED_S, None
        raise
    discovered[provider.issuer] = time.monotonic() + KEPT_S, endpoints
    return endpoints


def _discover(provider: Provider) -> Endpoints:
    document = _get(provider, provider.issuer.rstrip("/") + DISCOVERY)
    try:
        return endpoints_in(document, provider.issuer)
    except (KeyError, ValueError, TypeError, httpx.InvalidURL) as exc:
        raise _unavailable(provider, exc) from exc


def endpoints_in(document: Mapping[str, Any], issuer: str) -> Endpoints:
    """Parse a discovery document. Raises ValueError and similar errors."""
    if document["issuer"] != issuer:
        raise ValueError(f"it calls itself {document['issuer']!r}")
    return Endpoints(
        authorization=_endpoint(document["authorization_endpoint"]),
        token=_endpoint(document["token_endpoint"]),
        jwks=_endpoint(document["jwks_uri"]),
        userinfo=_endpoint(document["userinfo_endpoint"]) if document.get("userinfo_endpoint") else None,
        names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _endpoint(url: str) -> str:
    parsed = httpx.URL(url)
    if parsed.scheme != "https" and parsed.host not in settings.OPENID_PRIVATE_HOSTS:
        raise ValueError(f"{url!r} is no https:// URL")
    return url


def jwks(provider: Provider, endpoints: Endpoints) -> dict[str, Any]:
    """Return the provider's present keys: it may rotate them without notice."""
    return _get(provider, endpoints.jwks)


def userinfo(provider: Provider, endpoints: Endpoints, access_token: str) -> dict[str, Any]:
    if endpoints.userinfo is None:
        return {}
    return _get(provider, endpoints.userinfo, headers={"Authorization": f"Bearer {access_token}"})


def exchange(
    provider: Provider, endpoints: Endpoints, *, code: str, verifier: str, redirect_uri: str
) -> dict[str, Any]:
    """Exchange a code for tokens.

    Raises:
        OpenIdRefused: the provider rejects the code.
        ProviderUnavailable
    """
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
    # RFC 6749 §2.3.1: both are form-encoded before they are joined.
    credentials = (quote(provider.client_id, safe=""), quote(provider.client_secret, safe=""))
    answer = _send(provider, "POST", endpoints.token, data=form, auth=credentials)
    if answer.status_code in (400, 401, 403):
        log.warning("OpenID provider %s rejected a code: %s", provider.name, _error_of(answer))
        raise OpenIdRefused(reason=Message("it rejected the code."))
    return _json(provider, answer)


def _error_of(answer: httpx.Response) -> str:
    """Return the error code only: other members may contain personal data."""
    try:
        return str(answer.json()["error"])[:40]
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)


def _get(provider: Provider, url: str, **more: Any) -> dict[str, Any]:
    return _json(provider, _send(provider, "GET", url, **more))


def _send(provider: Provider, method: str, url: str, **more: Any) -> httpx.Response:
    transport = Guarded(verify=ssl.create_default_context(), trust_env=False)
    try:
        with (
            httpx.Client(transport=transport, timeout=TIMEOUT, trust_env=False, follow_redirects=False) as client,
            client.stream(method, url, **more) as answer,
        ):
            content = b""
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > ANSWER_MAX_BYTES:
                    raise Unreachable("the answer is too long")
            return httpx.Response(answer.status_code, content=content)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise _unavailable(provider, exc) from exc


def _json(provider: Provider, answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError as exc:
        raise _unavailable(provider, exc) from exc
    if answer.status_code != 200 or not isinstance(document, dict):
        raise _unavailable(provider, ValueError(f"status {answer.status_code}"))
    return document


def _unavailable(provider: Provider, exc: Exception) -> ProviderUnavailable:
    log.warning("OpenID provider %s: %s: %s", provider.name, type(exc).__name__, exc)
    return ProviderUnavailable(name=provider.name)
