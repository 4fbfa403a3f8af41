"""OpenID providers, listed by operators in settings.OPENID_PROVIDERS_FILE, which is read for each sign-in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from controlplane.identity.models import Role
from controlplane.signin.errors import ProviderNotFound

# Signatures by a key that only the provider has: neither `none`, nor an algorithm with a secret that we share.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
NEEDED = frozenset({"name", "issuer", "client_id", "client_secret_file", "redirect_uris"})
OPTIONAL = frozenset({"title", "scopes", "group_claim", "groups", "has_second_factor", "algorithms"})
SCOPES = ("openid", "email", "profile")


@dataclass(frozen=True)
class GroupMapping:
    """Group mapping: a role in the organization of this id or name (groups.py resolves names)."""

    organization: str
    role: str


@dataclass(frozen=True)
class Provider:
    """A provider. `has_second_factor`: the provider requires one itself, and its sign-ins count for two factors."""

    name: str
    issuer: str
    client_id: str
    client_secret_file: Path
    redirect_uris: tuple[str, ...]
    title: str
    scopes: tuple[str, ...] = SCOPES
    group_claim: str = "groups"
    groups: tuple[tuple[str, GroupMapping], ...] = ()
    has_second_factor: bool = False
    algorithms: tuple[str, ...] = ("RS256", "ES256", "PS256", "EdDSA")

    @property
    def client_secret(self) -> str:
        try:
            return self.client_secret_file.read_text().strip()
        except OSError as exc:
            raise ImproperlyConfigured(f"OpenID provider {self.name}: {exc.strerror}: {exc.filename}") from exc

    def granted(self, groups: frozenset[str]) -> list[GroupMapping]:
        return [grant for group, grant in self.groups if group in groups]


def all_providers() -> list[Provider]:
    """Return all providers. Raises ImproperlyConfigured when the file is invalid."""
    if not settings.OPENID_PROVIDERS_FILE:
        return []
    path = Path(settings.OPENID_PROVIDERS_FILE)
    try:
        listed = [_parsed(each) for each in json.loads(path.read_text())["providers"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ImproperlyConfigured(f"{path}: {exc}") from exc
    if len({each.name for each in listed}) < len(listed):
        raise ImproperlyConfigured(f"{path}: two providers have the same name")
    return listed


def provider_named(name: str) -> Provider:
    for each in all_providers():
        if each.name == name:
            return each
    raise ProviderNotFound(name=name)


def _parsed(document: Mapping[str, Any]) -> Provider:
    """Parse one provider. Raises ValueError and similar errors."""
    if wrong := (NEEDED - document.keys()) | (document.keys() - NEEDED - OPTIONAL):
        raise ValueError(f"missing or unknown: {', '.join(sorted(wrong))}")
    _check_issuer(str(document["issuer"]))
    algorithms = tuple(document.get("algorithms", Provider.algorithms))
    if not algorithms or not set(algorithms) <= set(ALGORITHMS):
        raise ValueError(f"algorithms must be among {', '.join(ALGORITHMS)}")
    scopes = tuple(document.get("scopes", SCOPES))
    if "openid" not in scopes:
        raise ValueError("scopes must have openid")
    return Provider(
        name=str(document["name"]),
        issuer=str(document["issuer"]),
        client_id=str(document["client_id"]),
        client_secret_file=Path(document["client_secret_file"]),
        redirect_uris=tuple(map(str, document["redirect_uris"])),
        title=str(document.get("title", document["name"])),
        scopes=scopes,
        group_claim=str(document.get("group_claim", "groups")),
        groups=tuple((group, _grant(each)) for group, each in document.get("groups", {}).items()),
        has_second_factor=document.get("has_second_factor", False) is True,
        algorithms=algorithms,
    )


def _check_issuer(issuer: str) -> None:
    url = httpx.URL(issuer)
    is_local = url.scheme == "http" and url.host in settings.OPENID_PRIVATE_HOSTS
    if not (url.scheme == "https" or is_local) or not url.host or url.userinfo or url.query or url.fragment:
        raise ValueError(f"the issuer must be an https:// URL, not {issuer}")


def _grant(document: Mapping[str, str]) -> GroupMapping:
    return GroupMapping(document["organization"], Role(document["role"]).value)
