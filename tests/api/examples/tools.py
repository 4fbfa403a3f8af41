"""Examples of webhooks, Terraform, and public routes."""

from pathlib import Path

from controlplane.webhooks import deliveries
from controlplane.webhooks.models import Delivery, Webhook
from tests.api.examples.sample_cloud import SampleCloud
from tests.services.webhooks.receiver import receiving
from tests.terraform.test_registry import publish

LINEAGE = "3f8f4d0a-6c3f-4d8e-9d1d-0a5b8f2f6c11"
STATE = {"version": 4, "terraform_version": "1.15.5", "serial": 1, "lineage": LINEAGE, "outputs": {}, "resources": []}
PROVIDER = {"namespace": "andromede", "terraform_provider": "andromede"}


def open_to_all(story: SampleCloud) -> None:
    book, nobody = story.book, story.nobody
    book.show(nobody, "health_get")
    book.show(nobody, "openapi_get", keep=("openapi", "info"))
    book.show(nobody, "problem_get", code="quota_exceeded")


def webhooks(story: SampleCloud) -> None:
    book, ada = story.book, story.ada
    book.show(ada, "webhook_create")
    book.show(ada, "webhook_list")
    book.show(ada, "webhook_get", webhook="ops")
    book.show(ada, "webhook_rotate_secret", webhook="ops")
    book.show(ada, "webhook_end_rotation", webhook="ops")
    ping = book.show(ada, "webhook_ping", webhook="ops").body["id"]
    with receiving() as receiver:
        receiver.answer = lambda got: 500
        Webhook.objects.update(url=receiver.url)
        deliveries.deliver(Webhook.objects.get().pk)
    Webhook.objects.update(url="https://ops.example.org/andromede")
    Delivery.objects.filter(pk=ping).update(state="failed")
    book.show(ada, "webhook_delivery_list", webhook="ops", query={"kind": "webhook.pinged"})
    book.show(ada, "webhook_delivery_get", webhook="ops", delivery=ping)
    book.show(ada, "webhook_delivery_redeliver", webhook="ops", delivery=ping)
    book.show(ada, "webhook_update", webhook="ops")
    book.show(ada, "webhook_delete", webhook="ops")


def terraform_states(story: SampleCloud) -> None:
    book, ada, prod = story.book, story.ada, {"terraform_state": "prod"}
    lock = book.show(ada, "terraform_state_lock", **prod).body
    book.show(ada, "terraform_state_write", STATE, **prod, query={"ID": lock["lock"]["ID"]})
    book.show(ada, "terraform_state_unlock", **prod)
    book.show(ada, "terraform_state_list")
    book.show(ada, "terraform_state_read", **prod)
    book.show(ada, "terraform_state_version_list", **prod)
    book.show(ada, "terraform_state_version_read", **prod, version="1")
    book.show(ada, "terraform_state_delete", **prod)


def terraform_provider(story: SampleCloud, release: Path, keyring: dict[str, str]) -> None:
    book, nobody = story.book, story.nobody
    publish(release, keyring)
    book.show(nobody, "terraform_services")
    book.show(nobody, "jwks_get")
    versions = book.show(nobody, "terraform_provider_version_list", **PROVIDER).body["versions"]
    version = {**PROVIDER, "version": versions[0]["version"]}
    book.show(nobody, "terraform_provider_package_get", **version, os="linux", arch="amd64")
    book.show(nobody, "terraform_provider_file_get", **version, file="SHA256SUMS")
