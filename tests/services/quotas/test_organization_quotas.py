"""Limits of two levels, quota requests, and use that equals the sum of the resources."""

from collections import Counter
from collections.abc import Callable
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from pytest_django import Settings

from controlplane.audit.models import AuditEntry
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import RoleNeeded
from controlplane.identity.models import Project
from controlplane.kernel.errors import CloudError, Outdated
from controlplane.kernel.ids import new_id
from controlplane.network.services import network_create
from controlplane.quotas import requests, services
from controlplane.quotas.errors import (
    QuotaAboveOrganization,
    QuotaExceeded,
    QuotaNotMore,
    QuotaRequestDecided,
    QuotaRequestPending,
)
from controlplane.quotas.models import Quota, QuotaRequest, QuotaUse
from controlplane.quotas.quota_owners import QuotaOwner
from controlplane.quotas.selectors import organization_usage, usage
from controlplane.reconcilers import quota_drift
from tests.services.threads import at_once, split
from tests.world import Tenant, make_tenant


@pytest.fixture
def tenant(settings: Settings) -> Tenant:
    settings.QUOTA_DEFAULTS = {"instances": 100, "vcpus": 8}
    settings.QUOTA_ORGANIZATION_TIMES = 2
    return make_tenant()


def sister(tenant: Tenant, name: str = "sister") -> Project:
    return Project.objects.create(organization=tenant.project.organization, name=name)


def admin(tenant: Tenant) -> Actor:
    return Actor(new_id(), new_id(), tenant.project.pk, "admin", organization_id=tenant.project.organization_id)


def of_organization(tenant: Tenant) -> QuotaOwner:
    return QuotaOwner(tenant.project.organization)


def of_project(tenant: Tenant) -> QuotaOwner:
    return QuotaOwner(tenant.project.organization, tenant.project)


def refused(project: Project, **amounts: int) -> dict[str, object]:
    with pytest.raises(QuotaExceeded) as caught, transaction.atomic():
        services.claim(project.pk, new_id(), **amounts)
    return caught.value.facts


@pytest.mark.django_db
def test_projects_of_one_organization_share_its_limit(tenant: Tenant) -> None:
    second, third = sister(tenant), sister(tenant, "third")
    services.claim(tenant.project.pk, new_id(), vcpus=8)
    services.claim(second.pk, new_id(), vcpus=7)
    assert refused(second, vcpus=2)["level"] == "project"
    facts = {"level": "organization", "dimension": "vcpus", "used": 15, "requested": 2, "limit": 16}
    assert refused(third, vcpus=2) == facts
    services.claim(make_tenant("beta").project.pk, new_id(), vcpus=8)
    services.claim(third.pk, new_id(), vcpus=1)


@pytest.mark.django_db
def test_available_quota_is_the_lower_of_both_levels(tenant: Tenant) -> None:
    second = sister(tenant)
    services.claim(second.pk, new_id(), vcpus=8)
    services.claim(tenant.project.pk, new_id(), vcpus=1)
    vcpus = usage(tenant.project)[1]
    assert vcpus == {"dimension": "vcpus", "used": 1, "limit": 8, "available": 7, "bound_by": "project"}
    services.quotas_set(SYSTEM, of_organization(tenant), {"vcpus": 12}, version=0)
    vcpus = usage(tenant.project)[1]
    assert vcpus == {"dimension": "vcpus", "used": 1, "limit": 8, "available": 3, "bound_by": "organization"}
    whole = organization_usage(of_organization(tenant), [tenant.project])[1]
    assert (whole["used"], whole["limit"], whole["available"]) == (9, 12, 3)
    assert [(part["project"], part["used"], part["limit"]) for part in whole["projects"]] == [(tenant.project, 1, 8)]


@pytest.mark.django_db
def test_zero_amount_is_no_use(tenant: Tenant) -> None:
    resource = new_id()
    services.claim(tenant.project.pk, resource, instances=1, vcpus=2)
    services.claim(tenant.project.pk, resource, vcpus=0)
    assert list(QuotaUse.objects.values_list("dimension", "amount")) == [("instances", 1)]


@pytest.mark.django_db
def test_limits_need_the_role_of_their_level(tenant: Tenant) -> None:
    for actor, owner in (
        (tenant.actor, of_project(tenant)),
        (tenant.actor, of_organization(tenant)),
        (admin(tenant), of_organization(tenant)),
    ):
        with pytest.raises(RoleNeeded):
            services.quotas_set(actor, owner, {"vcpus": 1}, version=None)
    assert not Quota.objects.exists()
    assert services.quotas_set(admin(tenant), of_project(tenant), {"vcpus": 1}, version=0) == 1
    assert services.quotas_set(SYSTEM, of_organization(tenant), {"vcpus": 99}, version=0) == 1
    assert set(AuditEntry.objects.filter(verb="quota.set").values_list("facts__level", flat=True)) == {
        "project",
        "organization",
    }


@pytest.mark.django_db
def test_limits_are_replaced_as_a_set_with_a_version(tenant: Tenant) -> None:
    owner = of_project(tenant)
    services.quotas_set(admin(tenant), owner, {"vcpus": 3, "instances": 5}, version=0)
    with pytest.raises(Outdated) as caught:
        services.quotas_set(admin(tenant), owner, {"vcpus": 4}, version=0)
    assert caught.value.facts == {"current": 1}
    services.quotas_set(admin(tenant), owner, {"vcpus": 4}, version=1)
    assert owner.limits() == {"instances": 100, "vcpus": 4}, "what is not named has the default again"


@pytest.mark.django_db
def test_project_limit_cannot_exceed_the_organization_limit(tenant: Tenant) -> None:
    owner = of_project(tenant)
    services.quotas_set(admin(tenant), owner, {"vcpus": 16}, version=None)
    with pytest.raises(QuotaAboveOrganization) as caught:
        services.quotas_set(admin(tenant), owner, {"vcpus": 17}, version=None)
    assert (caught.value.field, owner.own_limits()) == ("limits/vcpus", {"vcpus": 16})
    services.quotas_set(SYSTEM, of_organization(tenant), {"vcpus": 4}, version=None)
    assert refused(tenant.project, vcpus=5)["level"] == "organization", "the tighter one holds"


@pytest.mark.django_db
def test_quota_request_is_unique_and_applied_on_approval(tenant: Tenant) -> None:
    owner = of_organization(tenant)
    ask = {"dimension": "vcpus", "limit": 40, "reason": "load test"}
    with pytest.raises(RoleNeeded):
        requests.quota_request_create(tenant.actor, owner, **ask)  # type: ignore[arg-type]
    with pytest.raises(QuotaNotMore):
        requests.quota_request_create(admin(tenant), owner, **ask | {"limit": 16})  # type: ignore[arg-type]
    requested = requests.quota_request_create(admin(tenant), owner, **ask)  # type: ignore[arg-type]
    with pytest.raises(QuotaRequestPending):
        requests.quota_request_create(admin(tenant), owner, **ask)  # type: ignore[arg-type]
    with pytest.raises(RoleNeeded):
        requests.quota_request_approve(admin(tenant), requested, reason="why not")
    assert owner.limits()["vcpus"] == 16
    requests.quota_request_approve(SYSTEM, requested, reason="there is room")
    assert (requested.state, requested.answer, owner.limits()["vcpus"], owner.version()) == (
        "approved",
        "there is room",
        40,
        1,
    )
    for decide in (requests.quota_request_approve, requests.quota_request_refuse):
        with pytest.raises(QuotaRequestDecided):
            decide(SYSTEM, requested, reason="again")
    verbs = AuditEntry.objects.order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["quota_request.create", "quota_request.approve", "quota.set"]


@pytest.mark.django_db
def test_refused_or_withdrawn_request_changes_nothing(tenant: Tenant) -> None:
    owner = of_organization(tenant)

    def ask() -> QuotaRequest:
        return requests.quota_request_create(admin(tenant), owner, dimension="vcpus", limit=40, reason="load test")

    first, second = requests.quota_request_refuse(SYSTEM, ask(), reason="no room"), ask()
    for _ in range(2):
        requests.quota_request_withdraw(admin(tenant), second)
    assert (first.state, second.state, owner.limits()["vcpus"]) == ("refused", "withdrawn", 16)


@pytest.mark.django_db
def test_an_approval_never_lowers(tenant: Tenant) -> None:
    owner = of_organization(tenant)
    requested = requests.quota_request_create(admin(tenant), owner, dimension="vcpus", limit=40, reason="load test")
    services.quotas_set(SYSTEM, owner, {"vcpus": 100}, version=None)
    requests.quota_request_approve(SYSTEM, requested, reason="there is room")
    assert owner.limits()["vcpus"] == 100


# ── many at once, on committed rows ───────────────────────────────────────────────────────────────


def totals(tenant: Tenant) -> Counter[str]:
    """Return the use per project and in total."""
    counter: Counter[str] = Counter()
    for project, amount in QuotaUse.objects.filter(dimension="vcpus").values_list("project__name", "amount"):
        counter[project] += amount
        counter["all"] += amount
    return counter


Step = tuple[int, int, bool]  # project, vcpus, and whether the transaction goes through


@pytest.mark.django_db(transaction=True)
@hypothesis(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plans=st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6), st.booleans()), min_size=2, max_size=6),
        min_size=6,
        max_size=6,
    )
)
def test_concurrent_claims_exceed_no_limit_and_leave_nothing(settings: Settings, plans: list[list[Step]]) -> None:
    """Threads claim, grow, give back and fail as they like; after each commit both limits hold."""
    settings.QUOTA_DEFAULTS = {"instances": 100, "vcpus": 8}
    settings.QUOTA_ORGANIZATION_TIMES = 2
    tenant = make_tenant(f"t{new_id().hex[:12]}")
    projects = [tenant.project, sister(tenant), sister(tenant, "third")]
    unexpected: list[Counter[str]] = []

    def live(plan: list[Step]) -> Callable[[], list[UUID]]:
        def run() -> list[UUID]:
            claimed = []
            for number, vcpus, is_kept in plan:
                resource = new_id()
                try:
                    services.claim(projects[number].pk, resource, instances=1, vcpus=vcpus)
                    services.claim(projects[number].pk, resource, vcpus=vcpus + 1)
                except QuotaExceeded:
                    pass
                used_by_project = totals(tenant)
                if used_by_project.pop("all", 0) > 16 or any(used > 8 for used in used_by_project.values()):
                    unexpected.append(used_by_project)
                if is_kept:
                    claimed.append(resource)
                else:
                    services.release(resource)
            return claimed

        return run

    won, lost = split(at_once([live(plan) for plan in plans]))
    assert (lost, unexpected) == ([], [])
    claimed = {resource for each in won for resource in each}
    assert set(QuotaUse.objects.values_list("resource_id", flat=True)) <= claimed
    for resource in claimed:
        services.release(resource)
    assert not QuotaUse.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_concurrent_claims_take_the_last_organization_unit_once(tenant: Tenant) -> None:
    projects = [tenant.project, *(sister(tenant, f"sister-{number}") for number in range(3))]
    services.quotas_set(SYSTEM, of_organization(tenant), {"vcpus": 7}, version=0)

    def claiming(project: Project) -> Callable[[], None]:
        return lambda: services.claim(project.pk, new_id(), instances=1, vcpus=2)

    won, lost = split(at_once([claiming(projects[number % 4]) for number in range(12)]))
    assert (len(won), Counter(str(exc.facts["level"]) for exc in lost if isinstance(exc, CloudError))) == (
        3,
        {"organization": 9},
    )
    assert totals(tenant)["all"] == 6


@pytest.mark.django_db(transaction=True)
def test_concurrent_lowering_of_a_limit_is_serialized(tenant: Tenant) -> None:
    """A claim sees the old limit before the change or the new one after it."""

    def lower() -> int:
        services.quotas_set(SYSTEM, of_organization(tenant), {"vcpus": 4}, version=0)
        return totals(tenant)["all"]

    def claim() -> int:
        services.claim(tenant.project.pk, new_id(), vcpus=2)
        return 0

    *claims, used_at_change = at_once([*([claim] * 8), lower])
    won, _ = split(claims)
    assert isinstance(used_at_change, int)
    assert len(won) * 2 == totals(tenant)["all"] <= max(used_at_change, 4)


# ── and what the reconciler says of it ────────────────────────────────────────────────────────────


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("damage", "dimension"),
    [
        ("UPDATE quotas_quotause SET amount = amount + 1 WHERE dimension = 'networks'", "networks"),
        ("DELETE FROM quotas_quotause WHERE dimension = 'networks'", "networks"),
        (
            "INSERT INTO quotas_quotause (project_id, resource_id, dimension, amount) "
            "SELECT id, gen_random_uuid(), 'vcpus', 2 FROM identity_project",
            "vcpus",
        ),
    ],
)
def test_quota_use_without_a_resource_is_found(damage: str, dimension: str) -> None:
    tenant = make_tenant()
    network_create(tenant.actor, tenant.project, name="lan", cidr="10.0.0.0/24", dns_servers=[], labels={})
    assert quota_drift.reconcile() == []
    with connection.cursor() as cursor:
        cursor.execute(damage)
    assert [drifted for _, drifted in quota_drift.reconcile()] == [dimension]


def test_the_reconciler_counts_every_dimension() -> None:
    assert {name for name in settings.QUOTA_DEFAULTS if f"'{name}'" not in quota_drift.DRIFT} == set()
