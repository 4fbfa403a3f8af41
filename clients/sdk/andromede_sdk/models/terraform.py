# Made from docs/reference/openapi.json by `make clients`.
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from andromede_sdk.model import Model

if TYPE_CHECKING:
    from andromede_sdk.models.platform import Platform


@dataclass(frozen=True, kw_only=True, eq=False)
class ProviderPackage(Model):
    protocols: list[str]
    os: str
    arch: str
    filename: str
    download_url: str
    shasums_url: str
    shasums_signature_url: str
    shasum: str
    signing_keys: SigningKeys


@dataclass(frozen=True, kw_only=True, eq=False)
class ProviderVersion(Model):
    version: str
    protocols: list[str]
    platforms: list[Platform]


@dataclass(frozen=True, kw_only=True, eq=False)
class ProviderVersions(Model):
    versions: list[ProviderVersion]


@dataclass(frozen=True, kw_only=True, eq=False)
class PublicKey(Model):
    key_id: str
    ascii_armor: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Services(Model):
    pass


@dataclass(frozen=True, kw_only=True, eq=False)
class SigningKeys(Model):
    gpg_public_keys: list[PublicKey]
