"""Concurrent requests for the same resources: one succeeds, the others are refused, and none deadlock."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction

from controlplane.audit.exports import export_request
from controlplane.compute import services as compute
from controlplane.compute.affinity_groups import affinity_group_create, affinity_group_delete
from controlplane.compute.errors import AffinityGroupInUse, AffinityGroupNotFound
from controlplane.compute.models import AffinityGroup, Attachment, Instance
from controlplane.compute.resize import instance_resize
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import InvitationInvalid, OrganizationNotFound, ProjectNotFound
from controlplane.identity.invitations import invitation_accept, invitation_create
from controlplane.identity.models import Organization
from controlplane.identity.selectors import acting
from controlplane.identity.service_accounts import service_account_create
from controlplane.identity.services import (
    membership_set,
    organization_create,
    organization_delete,
    project_create,
    project_delete,
    user_create,
)
from controlplane.kernel import clock
from controlplane.kernel.errors import CloudError
from controlplane.network.models import Port
from controlplane.network.services import network_create
from controlplane.placement.classifications import NewClassification, classification_create
from controlplane.quotas.quota_owners import QuotaOwner
from controlplane.quotas.requests import quota_request_create
from controlplane.storage.models import Volume
from controlplane.storage.services import volume_grow
from controlplane.terraform.states import state_lock
from tests.services.threads import at_once, split
from tests.workflows.helpers import (
    ask_instance,
    attach,
    delete_volume,
    fresh,
    make_instance,
    make_stopped_instance,
    make_volume,
)
from tests.world import Cloud, Tenant, make_flavor, make_tenant

Request = Callable[[], object]


def all_at_once(requests: list[Request]) -> list[object]:
    """Return the successful results; each refusal must be a CloudError."""
    won, lost = split(at_once(requests))
    strange = [exc for exc in lost if not isinstance(exc, CloudError)]
    assert strange == []
    return won


def test_concurrent_requests_with_networks_in_any_order_do_not_deadlock(shared_cloud: Cloud) -> None:
    tenant = shared_cloud.tenant
    other = network_create(tenant.actor, tenant.project, name="other", cidr="10.20.0.0/24", dns_servers=[], labels={})
    orders = [(shared_cloud.network, other), (other, shared_cloud.network)]

    def creating(number: int) -> Request:
        return lambda: ask_instance(shared_cloud, f"n{number}", networks=orders[number % 2])

    assert len(all_at_once([creating(number) for number in range(10)])) == 10
    for network in orders[0]:
        assert len(set(Port.objects.filter(network=network).values_list("ip", flat=True))) == 10
    for instance in Instance.objects.all():
        first = Port.objects.filter(instance_id=instance.pk).order_by("pk").first()
        assert first is not None
        assert first.network == orders[int(instance.name[1:]) % 2][0], "the first card is on the first network"


# What is made in a project and in an organization.
IN_PROJECT: dict[str, Callable[[Tenant], object]] = {
    "network": lambda to: network_create(
        to.actor, to.project, name="late", cidr="10.30.0.0/24", dns_servers=[], labels={}
    ),
    "affinity_group": lambda to: affinity_group_create(
        to.actor, to.project, name="late", rule="affinity", is_strict=False
    ),
    "terraform_state": lambda to: state_lock(to.actor, to.project, "late", {"ID": "1"}),
    "record_of_its_end": lambda to: project_delete(to.actor, to.project),
}
IN_ORGANIZATION: dict[str, Callable[[Actor, Organization], object]] = {
    "project": lambda owner, to: project_create(to, name="late", actor=owner),
    "member": lambda owner, to: membership_set(to, user=user_create(email="late@acme.example"), role="viewer"),
    "invitation": lambda owner, to: invitation_create(
        owner, to, email="late@acme.example", role="viewer", lifetime_days=1
    ),
    "service_account": lambda owner, to: service_account_create(owner, to, name="late", grants={}),
    "classification": lambda owner, to: classification_create(
        SYSTEM, to, NewClassification(name="late", title="Late", title_fr="Tard", clauses=[])
    ),
    "quota_request": lambda owner, to: quota_request_create(
        owner, QuotaOwner(to), dimension="vcpus", limit=10**6, reason="more"
    ),
    "evidence_export": lambda owner, to: export_request(owner, to, clock.now() - timedelta(days=2), clock.now()),
    "record_of_its_end": organization_delete,
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", IN_PROJECT)
def test_no_resource_is_created_in_a_project_under_deletion(kind: str) -> None:
    tenant = make_tenant()
    lost = while_it_is_deleted(lambda: project_delete(SYSTEM, tenant.project), lambda: IN_PROJECT[kind](tenant))
    assert type(lost) is ProjectNotFound


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", IN_ORGANIZATION)
def test_no_resource_is_created_in_an_organization_under_deletion(kind: str) -> None:
    acme, owner = make_empty_organization()
    lost = while_it_is_deleted(lambda: organization_delete(SYSTEM, acme), lambda: IN_ORGANIZATION[kind](owner, acme))
    assert type(lost) is OrganizationNotFound


@pytest.mark.django_db(transaction=True)
def test_no_invitation_is_accepted_to_an_organization_under_deletion() -> None:
    acme, owner = make_empty_organization()
    _, secret = invitation_create(owner, acme, email="late@acme.example", role="viewer", lifetime_days=1)
    lost = while_it_is_deleted(lambda: organization_delete(SYSTEM, acme), lambda: invitation_accept(None, secret))
    assert type(lost) is InvitationInvalid


def make_empty_organization() -> tuple[Organization, Actor]:
    """Return an empty organization and its owner."""
    ada = user_create(email="ada@acme.example")
    acme = organization_create(name="acme", owner=ada)
    return acme, acting(ada.pk, organization=acme)


def while_it_is_deleted(delete: Request, make: Request) -> BaseException:
    """Return the error of a creation that runs during a deletion."""
    is_deleted, has_begun = threading.Event(), threading.Event()

    def deleting() -> object:
        with transaction.atomic():
            delete()
            is_deleted.set()
            assert has_begun.wait(60)
            time.sleep(0.3)  # the other one waits for the lock by now
        return "deleted"

    def making() -> object:
        assert is_deleted.wait(60)
        has_begun.set()
        return make()

    won, lost = split(at_once([deleting, making]))
    assert won == ["deleted"]
    return lost[0]


def rush_for(cloud: Cloud, volume: Volume, instance: Instance) -> list[Request]:
    """Return requests that attach, create with, grow and delete the volume."""
    return [
        lambda: attach(cloud, fresh(instance), fresh(volume)),
        lambda: attach(cloud, fresh(instance), fresh(volume)),
        lambda: volume_grow(cloud.tenant.actor, fresh(volume), size_gib=9),
        lambda: delete_volume(cloud, fresh(volume)),
        lambda: ask_instance(cloud, f"a-{volume.name}", volumes=(fresh(volume),)),
        lambda: ask_instance(cloud, f"b-{volume.name}", volumes=(fresh(volume),)),
    ]


def test_concurrent_attachments_of_one_volume_give_one_attachment(shared_cloud: Cloud) -> None:
    instance = make_instance(shared_cloud)
    for number in range(4):
        volume = make_volume(shared_cloud, f"v{number}")
        assert all_at_once(rush_for(shared_cloud, volume, instance))
        assert Attachment.objects.filter(volume=volume).count() <= 1


def test_concurrent_changes_of_one_instance_do_not_deadlock(shared_cloud: Cloud) -> None:
    actor = shared_cloud.tenant.actor
    instance = make_stopped_instance(shared_cloud)
    volume = make_volume(shared_cloud)
    big = make_flavor("big", vcpus=4)
    all_at_once(
        [
            lambda: instance_resize(actor, fresh(instance), flavor=big),
            lambda: instance_resize(actor, fresh(instance), flavor=big),
            lambda: compute.instance_start(actor, fresh(instance)),
            lambda: attach(shared_cloud, fresh(instance), fresh(volume)),
            lambda: compute.instance_update(actor, fresh(instance), name="new", labels={}, restart_policy="never"),
            lambda: compute.instance_delete(actor, fresh(instance)),
            lambda: compute.instance_delete(actor, fresh(instance)),
        ]
    )
    assert fresh(instance).is_deleting


def test_group_with_a_concurrent_new_member_is_not_deleted(shared_cloud: Cloud) -> None:
    tenant = shared_cloud.tenant
    for number in range(5):
        group = affinity_group_create(tenant.actor, tenant.project, name=f"g{number}", rule="affinity", is_strict=False)
        same = AffinityGroup.objects.get(pk=group.pk)
        created, deleted = at_once(
            [
                lambda n=number, group=group: ask_instance(shared_cloud, f"n{n}", affinity_group=group),
                lambda same=same: affinity_group_delete(tenant.actor, same),
            ]
        )
        if isinstance(created, BaseException):
            assert isinstance(created, AffinityGroupNotFound)
            assert deleted is None
        else:
            assert isinstance(deleted, AffinityGroupInUse)
