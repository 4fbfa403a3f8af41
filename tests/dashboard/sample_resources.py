"""Resources of a project, made by the dashboard's own forms."""

import re
from typing import Any

from django.test import Client

from controlplane.compliance.models import Compliance
from controlplane.compute.models import Instance
from controlplane.kernel import clock
from controlplane.network.models import AddressPool
from controlplane.nodes.models import Node
from controlplane.operations.models import Operation
from controlplane.storage.models import Volume
from tests.world import run

INSTANCE = {"name": "web", "image": "tiny", "flavor": "tiny", "networks": ["lan"]}
VOLUME = {"name": "data", "size_gib": "2", "volume_type": "local"}


def finish_all() -> None:
    """Run all operations, as workers do."""
    for operation in Operation.objects.filter(state="pending"):
        done = run(operation)
        assert done.state == "succeeded", done.error


def make_instance(browser: Client, home: str, **changed: Any) -> Instance:
    answer = browser.post(f"{home}/instances/create", {**INSTANCE, **changed})
    assert answer.status_code == 302, text_of(answer)
    finish_all()
    return Instance.objects.get(name=changed.get("name", "web"))


def make_address_pool() -> AddressPool:
    zone = Node.objects.order_by("name")[:1].get().zone
    return AddressPool.objects.create(
        name="public", zone=zone, family="ipv4", purpose="addresses", cidrs=["203.0.113.0/24"]
    )


def make_volume(browser: Client, home: str, **changed: Any) -> Volume:
    answer = browser.post(f"{home}/volumes/create", {**VOLUME, **changed})
    assert answer.status_code == 302, text_of(answer)
    finish_all()
    return Volume.objects.get(name=changed.get("name", "data"))


def set_adrift(instance: Instance, state: str = "drifted") -> None:
    """Mark as drifted, as a sweep does after the policy of its project has become stricter."""
    failing = [{"atom": "france", "code": "ATTR_MISMATCH", "level": "project", "detail": "IE", "policy": ""}]
    Compliance.objects.filter(resource_id=instance.pk).delete()
    Compliance.objects.create(
        resource_id=instance.pk,
        kind="instance",
        project=instance.project,
        zone="fr-idf-1",
        since=clock.now(),
        node=instance.node,
        state=state,
        failing=failing,
        checked_at=clock.now(),
    )


def text_of(answer: Any) -> str:
    """Return the visible text of a page: without tags, each run of blanks as one."""
    inside = answer.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<[^>]*>", " ", inside).split())


def errors_of(answer: Any, field: str) -> str:
    """Return the errors beside a field."""
    return " ".join(answer.context["form"].errors.get(field, []))
