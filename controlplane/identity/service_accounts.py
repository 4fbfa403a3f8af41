"""Service accounts: programs of an organization, and their role grants."""

from collections.abc import Mapping

from django.db import transaction

from andromede_core.documents.messages import Message
from controlplane.audit.services import record_of_organization
from controlplane.identity.actor import Actor
from controlplane.identity.errors import NameTaken, PersonsRole, RoleNeeded
from controlplane.identity.models import Grant, Organization, Project, Role, ServiceAccount
from controlplane.identity.roles import OFFICER, includes
from controlplane.identity.row_locks import lock_organization
from controlplane.identity.selectors import service_account_get
from controlplane.kernel import clock, count_limits
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.names import check_name

Grants = Mapping[Project | None, str]  # None: everywhere in the organization


@transaction.atomic
def service_account_create(actor: Actor, organization: Organization, *, name: str, grants: Grants) -> ServiceAccount:
    """Create a service account.

    Raises:
        RoleNeeded: a role grant exceeds the actor's role.
        PersonsRole, NameTaken, OrganizationNotFound, CountExhausted
    """
    lock_organization(organization)
    count_limits.require_below_limit("service_accounts", ServiceAccount.objects.filter(organization=organization))
    with raise_on_violation("identity_service_account_name_taken", _taken(name)):
        account = ServiceAccount.objects.create(organization=organization, name=check_name(name))
    _grant(actor, account, grants)
    _record(actor, "service_account.create", account, grants)
    return service_account_get(organization, str(account.pk))


@transaction.atomic
def service_account_update(
    actor: Actor, account: ServiceAccount, *, name: str, is_disabled: bool, grants: Grants | None
) -> ServiceAccount:
    """Update a service account. `grants` replace the former ones; None: no change. Its tokens change at once.

    Raises:
        RoleNeeded: its rights exceed the actor's, before or after the change.
        PersonsRole, NameTaken
    """
    _may_have(actor, account)
    disabled_at = (account.disabled_at or clock.now()) if is_disabled else None
    with raise_on_violation("identity_service_account_name_taken", _taken(name)):
        write_version(account, name=check_name(name), disabled_at=disabled_at)
    if grants is not None:
        Grant.objects.filter(service_account=account).delete()
        _grant(actor, account, grants)
    _record(actor, "service_account.update", account, grants or {}, is_disabled=is_disabled)
    return service_account_get(account.organization, str(account.pk))


@transaction.atomic
def service_account_delete(actor: Actor, account: ServiceAccount) -> None:
    """Delete a service account with its tokens. Raises RoleNeeded."""
    _may_have(actor, account)
    _record(actor, "service_account.delete", account, {})
    account.delete()


def _grant(actor: Actor, account: ServiceAccount, grants: Grants) -> None:
    for role in grants.values():
        _check_role(actor, role)
    Grant.objects.bulk_create(
        [Grant(service_account=account, project=project, role=role) for project, role in grants.items()]
    )


def _check_role(actor: Actor, role: str) -> None:
    if role in (Role.OWNER, OFFICER):
        raise PersonsRole(field="grants", role=role)
    if not includes(actor.role, role):
        raise RoleNeeded(role=role)


def _may_have(actor: Actor, account: ServiceAccount) -> None:
    for grant in Grant.objects.filter(service_account=account):
        _check_role(actor, grant.role)


def _taken(name: str) -> NameTaken:
    return NameTaken(field="name", kind=Message("service account"), name=name)


def _record(actor: Actor, verb: str, account: ServiceAccount, grants: Grants, *, is_disabled: bool = False) -> None:
    roles = {str(project.pk) if project is not None else "organization": role for project, role in grants.items()}
    organization_id = account.organization_id
    facts = {"organization": str(organization_id), "name": account.name, "grants": roles, "is_disabled": is_disabled}
    record_of_organization(actor, verb, account.pk, organization_id, **facts)
