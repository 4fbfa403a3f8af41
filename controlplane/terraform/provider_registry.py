"""Registry of the Terraform provider: files of a release, as they were signed, in a folder.

    <TERRAFORM_PROVIDERS_DIR>/<namespace>/<type>/<version>/
        terraform-provider-<type>_<version>_<os>_<arch>.zip …  SHA256SUMS  SHA256SUMS.sig  key.asc  release.json

The responses follow https://developer.hashicorp.com/terraform/internals/provider-registry-protocol.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from controlplane.terraform.errors import ProviderNotFound

PART = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
VERSION = re.compile(r"[0-9]++\.[0-9]++\.[0-9]+(-[0-9a-z.]{1,30})?")
PACKAGE = re.compile(
    r"terraform-provider-(?P<type>[a-z0-9-]++)_(?P<version>[^_]++)_(?P<os>[a-z0-9]++)_(?P<arch>[a-z0-9]++)\.zip"
)
SUMS, SIGNATURE, KEY, RELEASE = "SHA256SUMS", "SHA256SUMS.sig", "key.asc", "release.json"


class BadRelease(ValueError):
    """A problem with the files of a release."""


@dataclass(frozen=True)
class Package:
    """The provider for one platform; `sha256` (hex) is the zip's."""

    path: Path
    os: str
    arch: str
    sha256: str


@dataclass(frozen=True)
class Release:
    """A release.

    `key_id` is the long id of the key that signed the checksums, `protocols` are the provider's protocol versions.
    """

    folder: Path
    protocols: tuple[str, ...]
    key_id: str
    packages: tuple[Package, ...]

    @property
    def version(self) -> str:
        return self.folder.name


def release_publish(source: Path, *, namespace: str, key_id: str, key_file: Path) -> Release:
    """Copy a release's files into the registry; replaces earlier ones.

    Raises:
        BadRelease: a file is missing, a checksum is wrong, or names do not match.
    """
    packages = _packages(source)
    kinds = {PACKAGE.fullmatch(package.path.name).group("type", "version") for package in packages}  # type: ignore[union-attr]
    if len(kinds) != 1:
        raise BadRelease(f"{source} has packages of {len(kinds)} providers or versions; it must be one.")
    [(kind, version)] = kinds
    if not PART.fullmatch(namespace) or not VERSION.fullmatch(version) or not re.fullmatch(r"[0-9A-F]{16}", key_id):
        raise BadRelease("The namespace, the version or the key's id (16 digits of hex) is not as it must be.")
    target = settings.TERRAFORM_PROVIDERS_DIR / namespace / kind / version
    unfinished = target.with_name(f".{version}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for path in (*(package.path for package in packages), source / SUMS, source / SIGNATURE):
        shutil.copy(path, unfinished)
    shutil.copy(key_file, unfinished / KEY)
    (unfinished / RELEASE).write_text(json.dumps({"protocols": _protocols(source), "key_id": key_id}))
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
    return _release(target)


def releases(namespace: str, kind: str) -> list[Release]:
    """Return the releases. Raises ProviderNotFound when there is none."""
    folder = _folder(namespace, kind)
    published = [_release(path) for path in sorted(folder.iterdir()) if VERSION.fullmatch(path.name)]
    if not published:
        raise ProviderNotFound(name=f"{namespace}/{kind}")
    return published


def release_get(namespace: str, kind: str, version: str) -> Release:
    folder = _folder(namespace, kind) / version
    if not VERSION.fullmatch(version) or not folder.is_dir():
        raise ProviderNotFound(name=f"{namespace}/{kind} {version}")
    return _release(folder)


def package_get(release: Release, os: str, arch: str) -> Package:
    for package in release.packages:
        if (package.os, package.arch) == (os, arch):
            return package
    raise ProviderNotFound(name=f"{release.folder.parent.name} {release.version} {os}_{arch}")


def file_get(release: Release, name: str) -> Path:
    """Return a file of a release."""
    names = {SUMS, SIGNATURE, *(package.path.name for package in release.packages)}
    if name not in names:
        raise ProviderNotFound(name=name[:80])
    return release.folder / name


def _folder(namespace: str, kind: str) -> Path:
    folder: Path = settings.TERRAFORM_PROVIDERS_DIR / namespace / kind
    if not PART.fullmatch(namespace) or not PART.fullmatch(kind) or not folder.is_dir():
        raise ProviderNotFound(name=f"{namespace}/{kind}"[:80])
    return folder


def _release(folder: Path) -> Release:
    about: dict[str, Any] = json.loads((folder / RELEASE).read_text())
    return Release(folder, tuple(about["protocols"]), about["key_id"], tuple(_listed(folder)))


def _packages(source: Path) -> list[Package]:
    """Return the packages in the checksum file, after verifying their checksums."""
    missing = [name for name in (SUMS, SIGNATURE) if not (source / name).is_file()]
    if missing:
        raise BadRelease(f"{source} has no {' and no '.join(missing)}.")
    packages = list(_listed(source))
    if not packages:
        raise BadRelease(f"{source / SUMS} names no package terraform-provider-TYPE_VERSION_OS_ARCH.zip.")
    for package in packages:
        if not package.path.is_file():
            raise BadRelease(f"{package.path} is not there, though {SUMS} names it.")
        with package.path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != package.sha256:
                raise BadRelease(f"{package.path} has not the SHA-256 that {SUMS} says.")
    return packages


def _listed(folder: Path) -> Iterator[Package]:
    for line in (folder / SUMS).read_text().splitlines():
        sha256, _, name = line.partition("  ")
        if match := PACKAGE.fullmatch(name):
            yield Package(folder / name, match["os"], match["arch"], sha256)


def _protocols(source: Path) -> list[str]:
    """Return the protocols in the release's manifest; providers without one speak 5.0."""
    for path in source.glob("*manifest.json"):
        metadata = json.loads(path.read_text()).get("metadata", {})
        return [str(version) for version in metadata.get("protocol_versions", ["5.0"])]
    return ["5.0"]
