"""URLs outside the platform, in whose queries secrets stand, and who sees them."""

import pytest

from controlplane.catalog.models import Image
from controlplane.kernel.fields import without_secrets
from controlplane.webhooks.models import Webhook
from tests.api.client import Caller
from tests.world import Cloud

URL = "https://ops.example.org:8443/a/b?token=secret&x=1"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "https://ops.example.org:8443/a/b?…"),
        ("https://ada:secret@ops.example.org/a", "https://ops.example.org/a"),
        ("https://a@b:secret@ops.example.org#secret", "https://ops.example.org"),
        ("https://[::1]/a?", "https://[::1]/a"),
        ("https://[secret/", ""),
        ("secret", ""),
        ("", ""),
    ],
)
def test_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_webhook_url_is_shown_without_its_secrets(api: Caller, viewer: Caller, cloud: Cloud) -> None:
    created = api.post("webhooks", {"name": "ops", "url": "https://ops.example.org/", "kinds": ["drift.found"]})
    assert created.status == 201, created.text
    Webhook.objects.update(url=URL)
    assert [api.get("webhooks/ops").body["url"], api.get("webhooks").body["items"][0]["url"]] == [URL, URL]
    assert api.patch("webhooks/ops", {"labels": {"a": "b"}}).body["url"] == URL
    texts = [viewer.get("webhooks/ops").text, viewer.get("webhooks").text]
    assert all("https://ops.example.org:8443/a/b?…" in text and "secret=" not in text for text in texts)
    assert not any("token=" in text for text in texts)


def test_image_source_is_shown_without_its_secrets(api: Caller, viewer: Caller, cloud: Cloud) -> None:
    Image.objects.filter(name="tiny").update(source_url=URL, project=cloud.tenant.project)
    assert [api.get("images/tiny").body["source_url"], api.get("images").body["items"][0]["source_url"]] == [URL, URL]
    for text in (viewer.get("images/tiny").text, viewer.get("images").text):
        assert "https://ops.example.org:8443/a/b?…" in text
        assert "token=" not in text
