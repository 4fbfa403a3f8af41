"""Quotas: limits, use, and releases that always succeed."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F, Sum
from pytest_django import Settings

from controlplane.kernel.ids import new_id
from controlplane.quotas import services
from controlplane.quotas.errors import QuotaExceeded
from controlplane.quotas.models import Quota, QuotaPart, QuotaUse
from controlplane.quotas.selectors import usage
from controlplane.quotas.services import claim, release
from tests.world import Tenant, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(settings: Settings) -> Tenant:
    settings.QUOTA_DEFAULTS = {"instances": 2, "vcpus": 4}
    return make_tenant()


def used(tenant: Tenant) -> dict[object, object]:
    return {line["dimension"]: line["used"] for line in usage(tenant.project)}


def test_claims_add_up_until_the_limit(tenant: Tenant) -> None:
    first, second = new_id(), new_id()
    claim(tenant.project.pk, first, instances=1, vcpus=3)
    with pytest.raises(QuotaExceeded) as caught, transaction.atomic():
        claim(tenant.project.pk, second, instances=1, vcpus=2)
    assert caught.value.facts == {
        "level": "project",
        "dimension": "vcpus",
        "used": 3,
        "requested": 2,
        "limit": 4,
    }
    assert used(tenant) == {"instances": 1, "vcpus": 3}, "of a claim that was refused nothing stays"
    claim(tenant.project.pk, second, instances=1, vcpus=1)
    release(first)
    release(first)
    assert used(tenant) == {"instances": 1, "vcpus": 1}


def test_second_claim_replaces_the_first(tenant: Tenant) -> None:
    resource = new_id()
    for vcpus in (4, 1, 3):
        claim(tenant.project.pk, resource, vcpus=vcpus)
        assert used(tenant)["vcpus"] == vcpus


def test_projects_have_independent_use(tenant: Tenant) -> None:
    other = make_tenant("beta")
    claim(tenant.project.pk, new_id(), vcpus=4)
    assert used(other) == {"instances": 0, "vcpus": 0}
    claim(other.project.pk, new_id(), vcpus=4)
    assert used(tenant)["vcpus"] == used(other)["vcpus"] == 4


def test_project_limit_overrides_the_default(tenant: Tenant) -> None:
    Quota.objects.create(project=tenant.project, dimension="vcpus", limit=9)
    claim(tenant.project.pk, new_id(), vcpus=9)
    line = usage(tenant.project)[1]
    assert (line["dimension"], line["used"], line["limit"], line["available"]) == ("vcpus", 9, 9, 0)


def test_smaller_claim_is_always_allowed(tenant: Tenant) -> None:
    """An operator lowers the limit below what is used; an undo that gives back must not fail for that."""
    resource = new_id()
    claim(tenant.project.pk, resource, vcpus=4)
    Quota.objects.create(project=tenant.project, dimension="vcpus", limit=1)
    claim(tenant.project.pk, resource, vcpus=3)
    claim(tenant.project.pk, resource, vcpus=3)
    with pytest.raises(QuotaExceeded), transaction.atomic():
        claim(tenant.project.pk, resource, vcpus=4)
    with pytest.raises(QuotaExceeded), transaction.atomic():
        claim(tenant.project.pk, new_id(), vcpus=1)
    assert used(tenant)["vcpus"] == 3


def test_database_refuses_negative_or_duplicate_use(tenant: Tenant) -> None:
    resource = new_id()
    claim(tenant.project.pk, resource, vcpus=1)
    for amount in (0, -1):
        with pytest.raises(IntegrityError), transaction.atomic():
            QuotaUse.objects.filter(resource_id=resource).update(amount=amount)
    with pytest.raises(IntegrityError, match="quotas_use_once"), transaction.atomic():
        QuotaUse.objects.create(project=tenant.project, resource_id=resource, dimension="vcpus", amount=1)


def test_quota_parts_sum_to_the_use(tenant: Tenant, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the rows came, changed and went, and when claims have put the parts together."""
    settings.QUOTA_DEFAULTS = {"instances": 50, "vcpus": 50}
    monkeypatch.setattr(services, "PARTS_MAX", 3)
    resources = [new_id() for _ in range(4)]
    for resource in resources:
        claim(tenant.project.pk, resource, vcpus=1, instances=1)
    claim(tenant.project.pk, resources[0], vcpus=3, instances=0)
    QuotaUse.objects.filter(resource_id=resources[1]).update(amount=F("amount") + 1)
    release(resources[2])
    claim(tenant.project.pk, resources[3], vcpus=2)
    parts = QuotaPart.objects.values_list("dimension").annotate(sum=Sum("amount"))
    assert dict(parts) == {"instances": 3, "vcpus": 7}
    assert QuotaPart.objects.filter(dimension="vcpus").count() < 8, "some were put together"
    QuotaUse.objects.all().delete()
    assert dict(parts.all()) == {"instances": 0, "vcpus": 0}
