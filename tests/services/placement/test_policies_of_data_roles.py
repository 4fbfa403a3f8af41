"""Roles of data in operations, one at a time.

A clause about one role alone refuses the operations that give a place such data, at the request and at the worker, and
no others.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from andromede_core.policy.clauses import ROLES
from controlplane.catalog.models import Image
from controlplane.catalog.services import NewImage, image_upload
from controlplane.compute import selectors
from controlplane.compute import services as compute
from controlplane.compute.attachments import volume_attach, volume_detach
from controlplane.compute.models import Attachment
from controlplane.compute.rebuild import NewDisk, instance_rebuild
from controlplane.compute.resize import instance_resize
from controlplane.operations.models import Operation
from controlplane.placement import images
from controlplane.placement.errors import PolicyUnsatisfiable
from controlplane.placement.models import Allocation, Binding, Permit
from controlplane.placement.selectors import latest_decision
from controlplane.storage import services as storage
from tests.nightly import thinned
from tests.services.catalog.disks import chunks_of, qcow2
from tests.services.catalog.test_image_import import Answer, serving
from tests.services.policies import classify, in_zones, made_instance, made_volume, new_instance, new_volume, ruled
from tests.workflows.helpers import ask_instance, done, fresh, make_attached, make_instance, make_stopped_instance
from tests.world import Cloud, make_flavor, run

Ask = Callable[[], Operation]
Way = Callable[[Cloud], Ask]


def create(cloud: Cloud) -> Ask:
    names = iter(("first", "second"))
    return lambda: ask_instance(cloud, next(names))[1]


def create_volume(cloud: Cloud) -> Ask:
    names = iter(("first", "second"))
    return lambda: new_volume(cloud, name=next(names), image=cloud.image)[1]


def start(cloud: Cloud) -> Ask:
    instance = make_stopped_instance(cloud)
    return lambda: compute.instance_start(cloud.tenant.actor, fresh(instance))


def reboot(cloud: Cloud) -> Ask:
    instance = make_instance(cloud)
    return lambda: compute.instance_reboot(cloud.tenant.actor, fresh(instance))


def reset(cloud: Cloud) -> Ask:
    instance = make_instance(cloud)
    return lambda: compute.instance_reset(cloud.tenant.actor, fresh(instance))


def resize(cloud: Cloud) -> Ask:
    instance, flavor = make_stopped_instance(cloud), make_flavor("big", vcpus=2, disk_gib=2)
    return lambda: instance_resize(cloud.tenant.actor, fresh(instance), flavor=flavor)


def rebuild(cloud: Cloud) -> Ask:
    instance = make_instance(cloud)
    return lambda: instance_rebuild(cloud.tenant.actor, fresh(instance), NewDisk(cloud.image))


def attach(cloud: Cloud) -> Ask:
    instance, volume = make_instance(cloud), made_volume(cloud)
    return lambda: volume_attach(cloud.tenant.actor, fresh(instance), volume=fresh(volume), is_read_only=False)[1]


def grow(cloud: Cloud) -> Ask:
    volume = made_volume(cloud)
    return lambda: storage.volume_grow(cloud.tenant.actor, fresh(volume), size_gib=3)


# As it is demanded, not as the code has it.
DISK = frozenset({"storage", "replica", "image", "key", "log", "metadata", "admin"})
WHOLE = DISK | {"compute", "netedge"}
ROWS: tuple[tuple[Way, frozenset[str]], ...] = (
    (create, WHOLE),
    (start, WHOLE),
    (reboot, WHOLE),
    (reset, WHOLE),
    (resize, WHOLE),
    (rebuild, WHOLE),
    (attach, WHOLE),
    (create_volume, DISK),
    (grow, DISK),
)
ASKED = [pytest.param(way, role, id=f"{way.__name__}-{role}") for way, row in ROWS for role in sorted(row)]


def elsewhere(*roles: str) -> list[dict[str, object]]:
    """A clause about these reasons alone, which the zone where everything is does not satisfy."""
    return in_zones("de-rhein-1", roles=list(roles))


@pytest.mark.parametrize(("way", "role"), thinned(ASKED, keep_every=3))
def test_clause_about_one_role_refuses_its_operations(cloud: Cloud, way: Way, role: str) -> None:
    ask = way(cloud)
    asked_before = ask()
    ruled(cloud.tenant.project, *elsewhere(role), at="organization")
    assert run(asked_before).state == "failed", asked_before.steps
    assert asked_before.error["code"] == "policy_unsatisfiable"
    with pytest.raises(PolicyUnsatisfiable):
        ask()


@pytest.mark.parametrize(("way", "row"), ROWS, ids=lambda value: getattr(value, "__name__", ""))
def test_clauses_about_other_roles_refuse_nothing(cloud: Cloud, way: Way, row: frozenset[str]) -> None:
    ask = way(cloud)
    ruled(cloud.tenant.project, *elsewhere(*(role for role in ROLES if role not in row)), at="organization")
    done(ask())


@pytest.mark.parametrize("role", [None, "compute", "key", "admin"])
def test_stop_detach_delete_and_read_need_no_policy_check(cloud: Cloud, role: str | None) -> None:
    attachment = make_attached(cloud)
    instance, actor = attachment.instance, cloud.tenant.actor
    other = made_instance(cloud, name="other")
    ruled(cloud.tenant.project, *(elsewhere(role) if role else in_zones("de-rhein-1")), at="organization")
    before = Permit.objects.count()
    done(volume_detach(actor, fresh(attachment)))
    done(compute.instance_shutdown(actor, fresh(instance)))
    done(compute.instance_power_off(actor, fresh(other)))
    assert selectors.instance_get(actor, cloud.tenant.project, "web").state == "stopped"
    assert latest_decision(actor, cloud.tenant.project, instance.pk).is_admitted
    done(compute.instance_delete(actor, fresh(instance)))
    done(compute.instance_delete(actor, fresh(other)))
    done(storage.volume_delete(actor, fresh(attachment.volume), attached_to=None))
    assert not Attachment.objects.exists()
    assert not Allocation.objects.exists()
    assert Permit.objects.count() == before


# ---- images: free where they are kept, asked about where they go


def uploaded(cloud: Cloud, tmp_path: Path, *names: str) -> Image:
    actor, new = cloud.tenant.actor, NewImage(name="mine", format="qcow2")
    image, _ = images.image_create(actor, cloud.tenant.project, new, classifications=names)
    done(image_upload(actor, image, chunks_of(qcow2(tmp_path, content=b"\1" * 4096))))
    return fresh(image)


def imported(cloud: Cloud, tmp_path: Path, *names: str) -> Image:
    with serving() as site:
        site.answers["/disk"] = Answer(body=qcow2(tmp_path, content=b"\1" * 4096).read_bytes())
        new = NewImage(name="mine", format="qcow2", source_url=site.url("/disk"))
        image, operation = images.image_create(cloud.tenant.actor, cloud.tenant.project, new, classifications=names)
        assert operation is not None
        done(operation)
    return fresh(image)


@pytest.mark.parametrize("take", [uploaded, imported])
def test_classified_image_is_uploaded_anywhere_and_cached_where_admitted(
    cloud: Cloud, tmp_path: Path, settings: Settings, take: Callable[..., Image]
) -> None:
    """A clause about images alone keeps its bytes from a node's cache, and with that what would be made of it."""
    settings.IMAGE_IMPORT_PRIVATE_HOSTS = ["localhost"]
    secret = classify("secret", elsewhere("image"), cloud.tenant.project).pk
    instance = make_instance(cloud)
    image = take(cloud, tmp_path, secret)
    assert image.state == "available"
    assert Binding.objects.get(pk=image.pk).classifications == [secret]
    for ask in (
        lambda: new_instance(cloud, name="other", image=image),
        lambda: new_volume(cloud, image=image),
        lambda: instance_rebuild(cloud.tenant.actor, instance, NewDisk(image)),
    ):
        with pytest.raises(PolicyUnsatisfiable):
            ask()
    assert image.sha256 not in cloud.fake.images
    assert Binding.objects.get(pk=instance.pk).classifications == []
