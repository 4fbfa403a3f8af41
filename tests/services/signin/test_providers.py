"""The file that lists OpenID providers."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from controlplane.signin.openid.providers import all_providers

GOOD: dict[str, Any] = {
    "name": "staff",
    "issuer": "https://id.example",
    "client_id": "andromede",
    "client_secret_file": "secret",
    "redirect_uris": ["https://console.example/signed-in"],
}


def listed(settings: Settings, folder: Path, *providers: dict[str, Any]) -> None:
    file = folder / "providers.json"
    file.write_text(json.dumps({"providers": providers}))
    settings.OPENID_PROVIDERS_FILE = str(file)


def test_missing_setting_means_no_providers(settings: Settings) -> None:
    settings.OPENID_PROVIDERS_FILE = ""
    assert all_providers() == []


def test_omitted_fields_have_defaults(settings: Settings, tmp_path: Path) -> None:
    listed(settings, tmp_path, GOOD)
    provider = all_providers()[0]
    assert (provider.title, provider.scopes, provider.groups) == ("staff", ("openid", "email", "profile"), ())
    assert not provider.has_second_factor


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://id.example"},
        {"issuer": "https://user@id.example"},
        {"issuer": "file:///etc/passwd"},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"scopes": ["email"]},
        {"groups": {"g": {"organization": "acme", "role": "king"}}},
        {"groups": {"g": {"organization": "acme"}}},
        {"colour": "red"},
    ],
)
def test_invalid_provider_is_refused(settings: Settings, tmp_path: Path, wrong: dict[str, Any]) -> None:
    listed(settings, tmp_path, GOOD | wrong)
    with pytest.raises(ImproperlyConfigured):
        all_providers()


def test_duplicate_provider_names_are_refused(settings: Settings, tmp_path: Path) -> None:
    listed(settings, tmp_path, GOOD, GOOD)
    with pytest.raises(ImproperlyConfigured, match="same name"):
        all_providers()


def test_missing_provider_file_is_refused(settings: Settings, tmp_path: Path) -> None:
    settings.OPENID_PROVIDERS_FILE = str(tmp_path / "none")
    with pytest.raises(ImproperlyConfigured):
        all_providers()
