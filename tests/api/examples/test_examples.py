"""The examples of the OpenAPI document and of the reference are what the API really answers, and every route has one.

`make examples` writes them anew.
"""

import difflib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from jsonschema import Draft202012Validator, FormatChecker
from pytest_django import Settings

from controlplane.catalog.models import FactsEpoch
from controlplane.kernel import clock
from controlplane.webhooks import wakeups
from tests.api import contract, user_accounts
from tests.api.client import Caller
from tests.api.examples import compute, records, signin, sovereignty, tenants, tools
from tests.api.examples.recorder import ROUTES, ExampleRecorder
from tests.api.examples.sample_cloud import SampleCloud, make_sample_cloud
from tests.api.test_openid import Staff, known, provider
from tests.services.webhooks.conftest import Queue
from tests.terraform.test_registry import keyring, release  # noqa: F401 - fixtures
from tests.world import world

DIFFERENT_LINES = 20
KEPT = Path(django_settings.BASE_DIR) / "docs" / "reference" / "examples"
CHAPTERS = (
    tools.open_to_all,
    tenants.organizations,
    tenants.members,
    tenants.service_accounts,
    tenants.tokens,
    tenants.quotas,
    compute.choice,
    sovereignty.catalogue,
    compute.images,
    compute.keys_and_groups,
    compute.networks,
    compute.security_groups,
    compute.address_sets,
    compute.volumes,
    compute.instances,
    compute.nodes,
    tenants.limits,
    tools.webhooks,
    tools.terraform_states,
    sovereignty.policies,
    sovereignty.classifications,
    sovereignty.drifts,
    sovereignty.exemptions,
    records.events,
    records.audits,
    records.evidences,
    records.evidence_exports,
    compute.moves,
    compute.ends,
)


@pytest.fixture
def issuer(tmp_path: Path, settings: Settings) -> Iterator[str]:
    with provider(tmp_path, is_in_id_token=True) as address:
        known(address, settings, tmp_path)
        yield address


@pytest.fixture
def story(db: None, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleCloud]:
    settings.PKI_DIR, settings.IMAGES_DIR = tmp_path / "pki", tmp_path / "images"
    settings.EXPORTS_DIR, settings.TERRAFORM_PROVIDERS_DIR = tmp_path / "exports", tmp_path / "providers"
    settings.PASSKEY_ORIGINS, settings.PASSWORD_HASHERS = ["https://console.example"], [user_accounts.QUICK]
    settings.WEBHOOK_PRIVATE_HOSTS, settings.IS_WEBHOOK_HTTP_ALLOWED = ["localhost"], True
    settings.SECOND_FACTOR_DUTIES = []
    monkeypatch.setattr(wakeups, "send_wakeup", Queue().send_wakeup)
    began, epoch = clock.now(), FactsEpoch.objects.get().value
    with world(tmp_path) as created:
        yield make_sample_cloud(created, tmp_path, began=began, epoch=epoch)


@pytest.fixture
def book(
    story: SampleCloud,
    issuer: str,
    release: Path,  # noqa: F811
    keyring: dict[str, str],  # noqa: F811
) -> ExampleRecorder:
    for chapter in CHAPTERS:
        chapter(story)
    tools.terraform_provider(story, release, keyring)
    browser = signin.by_password(story)
    signin.by_code(story, browser)
    signin.by_passkey(story, browser)
    signin.by_openid(story, Staff(issuer, Caller(token=None)), browser)
    signin.out(story, browser)
    signin.leaving(story)
    return story.book


def test_every_route_has_a_current_example(book: ExampleRecorder, request: pytest.FixtureRequest) -> None:
    assert book.shown.keys() == ROUTES.keys(), "a route needs an example: tests/api/examples"
    pages = book.pages()
    if request.config.getoption("--write", default=False):
        for file in KEPT.glob("*.json"):
            file.unlink()
        for name, text in pages.items():
            (KEPT / name).write_text(text)
    stored = {file.name: file.read_text() for file in KEPT.glob("*.json")}
    assert stored.keys() == pages.keys(), "run `make examples`"
    for name, text in pages.items():
        assert json.loads(stored[name]) == json.loads(text), (
            f"run `make examples`\n{difference(name, stored[name], text)}"
        )


def difference(name: str, stored: str, text: str) -> str:
    lines = difflib.unified_diff(stored.splitlines(), text.splitlines(), name, "now", lineterm="", n=0)
    return "\n".join(islice(lines, DIFFERENT_LINES))


def operations() -> Iterator[tuple[str, Any]]:
    for methods in contract.contract()["paths"].values():
        for operation in methods.values():
            yield operation["operationId"], operation


def test_examples_of_the_document_match_their_schemas() -> None:
    """Both ways: of the request, and of one of the answers, wherever they are JSON."""
    for operation_id, operation in operations():
        parts = [operation.get("requestBody", {})]
        parts += [each for status, each in operation["responses"].items() if status in ("200", "201", "202")]
        contents = [
            part["content"]["application/json"] for part in parts if "application/json" in part.get("content", {})
        ]
        shown = [content for content in contents if "example" in content]
        for content in shown:
            assert content["example"].get("items") != [], f"{operation_id}: a list is shown with something in it"
            schema = {**content["schema"], "components": contract.contract()["components"]}
            wrong = list(Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(content["example"]))
            assert wrong == [], operation_id
        assert shown or not contents, operation_id
