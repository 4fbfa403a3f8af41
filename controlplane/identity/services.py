"""Services that write organizations, projects, users and memberships."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models, transaction

from andromede_core.documents.messages import Message
from controlplane.audit.services import record, record_of_organization
from controlplane.identity.actor import SYSTEM, Actor
from controlplane.identity.errors import (
    AddressInvalid,
    DutiesMixed,
    LastOwner,
    NameTaken,
    OrganizationInUse,
    OrganizationNotFound,
    ProjectInUse,
    ProjectNotFound,
    RoleNeeded,
    UserIsOver,
)
from controlplane.identity.models import ApiToken, Membership, Organization, Project, Role, User
from controlplane.identity.roles import OFFICER, includes
from controlplane.identity.row_locks import lock_organization
from controlplane.identity.tokens import token_issue
from controlplane.kernel import clock, count_limits
from controlplane.kernel.db import raise_on_violation, write_version
from controlplane.kernel.names import check_labels, check_name

__all__ = ["token_issue"]
DEPENDENTS_SHOWN = 10


@transaction.atomic
def organization_create(
    *, name: str, owner: User | None = None, labels: Mapping[str, str] | None = None, actor: Actor = SYSTEM
) -> Organization:
    """Create an organization; `owner` is its first member."""
    with _organization_named(name):
        organization = Organization.objects.create(name=check_name(name), labels=check_labels(labels or {}))
    _record(actor, "organization.create", organization, name=name)
    if owner is not None:
        membership_set(organization, user=owner, role=Role.OWNER, actor=actor)
    return organization


@transaction.atomic
def organization_update(
    actor: Actor, organization: Organization, *, name: str, labels: Mapping[str, str]
) -> Organization:
    with _organization_named(name):
        write_version(organization, name=check_name(name), labels=check_labels(labels))
    _record(actor, "organization.update", organization, name=name)
    return organization


@transaction.atomic
def organization_delete(actor: Actor, organization: Organization) -> None:
    """Delete an organization: memberships, tokens and service accounts lose their effect; its records stay.

    Raises:
        OrganizationInUse: it has projects.
        OrganizationNotFound: it was deleted meanwhile.
    """
    if Organization.objects.select_for_update().filter(pk=organization.pk, deleted_at=None).first() is None:
        raise OrganizationNotFound(name=organization.name)
    left = list(Project.objects.filter(organization=organization, deleted_at=None).values_list("name", flat=True))
    if left:
        raise OrganizationInUse(count=len(left), dependents=_format_names(left))
    now = clock.now()
    Organization.objects.filter(pk=organization.pk).update(deleted_at=now, updated_at=now)
    _record(actor, "organization.delete", organization, name=organization.name)


def _organization_named(name: str) -> AbstractContextManager[None]:
    return raise_on_violation(
        "identity_organization_name_taken", NameTaken(field="name", kind=Message("organization"), name=name)
    )


@transaction.atomic
def project_create(
    organization: Organization, *, name: str, labels: Mapping[str, str] | None = None, actor: Actor = SYSTEM
) -> Project:
    """Create a project. Raises OrganizationNotFound, NameTaken, CountExhausted."""
    lock_organization(organization)
    count_limits.require_below_limit("projects", Project.objects.filter(organization=organization, deleted_at=None))
    with _project_named(name):
        project = Project.objects.create(
            organization=organization, name=check_name(name), labels=check_labels(labels or {})
        )
    record(actor, "project.create", project.pk, project_id=project.pk, name=name)
    return project


@transaction.atomic
def project_update(actor: Actor, project: Project, *, name: str, labels: Mapping[str, str]) -> Project:
    with _project_named(name):
        write_version(project, name=check_name(name), labels=check_labels(labels))
    record(actor, "project.update", project.pk, project_id=project.pk, name=name)
    return project


@transaction.atomic
def project_delete(actor: Actor, project: Project) -> None:
    """Delete a project: its tokens are rejected; its records stay.

    Raises:
        ProjectInUse: names the remaining resources.
        ProjectNotFound: it was deleted meanwhile.
    """
    if Project.objects.select_for_update().filter(pk=project.pk, deleted_at=None).first() is None:
        raise ProjectNotFound(name=project.name)
    left = sorted(_dependents(project))
    if left:
        raise ProjectInUse(count=len(left), dependents=_format_names(left))
    now = clock.now()
    Project.objects.filter(pk=project.pk).update(deleted_at=now, updated_at=now)
    record(actor, "project.delete", project.pk, project_id=project.pk, name=project.name)


def _project_named(name: str) -> AbstractContextManager[None]:
    return raise_on_violation(
        "identity_project_name_taken", NameTaken(field="name", kind=Message("project"), name=name)
    )


def _dependents(project: Project) -> Iterator[str]:
    """Return `kind/name` of the project's resources: existing rows with a name, of apps above this one.

    Other rows are records, and stay.
    """
    for relation in Project._meta.related_objects:
        model = relation.related_model
        if relation.on_delete is not models.PROTECT or not _has(model, "name"):
            continue
        rows = model._default_manager.filter(project=project)
        if _has(model, "state"):
            rows = rows.exclude(state="deleted")
        if _has(model, "is_default"):
            rows = rows.exclude(is_default=True)  # made for the project, and nobody can delete it
        yield from (f"{model._meta.verbose_name}/{name}" for name in rows.values_list("name", flat=True))


def _format_names(names: Sequence[str]) -> str:
    return ", ".join([*names[:DEPENDENTS_SHOWN], *(["…"] if len(names) > DEPENDENTS_SHOWN else [])])


def _has(model: type[models.Model], field: str) -> bool:
    return any(each.name == field for each in model._meta.get_fields())


@transaction.atomic
def user_create(
    *, email: str, is_operator: bool = False, is_auditor: bool = False, is_support: bool = False, actor: Actor = SYSTEM
) -> User:
    """Create a user.

    Raises:
        AddressInvalid, NameTaken
    """
    with raise_on_violation("identity_user_email_taken", NameTaken(field="email", kind=Message("user"), name=email)):
        user = User.objects.create(
            email=check_address(email), is_operator=is_operator, is_auditor=is_auditor, is_support=is_support
        )
    record(actor, "user.create", user.pk, duty=user.platform_role)
    return user


def check_address(email: str) -> str:
    try:
        validate_email(email)
    except ValidationError as exc:
        raise AddressInvalid(field="email", email=email[:80]) from exc
    return email


@transaction.atomic
def membership_set(organization: Organization, *, user: User, role: str, actor: Actor = SYSTEM) -> Membership:
    """Make the user a member in this role; an earlier role is replaced.

    Raises:
        DutiesMixed: a user with a platform role may not set an organization's policy.
        LastOwner: the organization would have no owner.
        OrganizationNotFound: it was deleted meanwhile.
        UserIsOver
    """
    lock_organization(organization)  # also so that two owners do not both step down
    if user.ended_at is not None:
        raise UserIsOver(email=user.email)
    if role == OFFICER and user.platform_role:
        raise DutiesMixed(email=user.email)
    if role != Role.OWNER:
        _need_another_owner(organization, user)
    membership, is_new = Membership.objects.get_or_create(
        organization=organization, user=user, defaults={"role": Role(role)}
    )
    if not is_new:
        write_version(membership, role=Role(role))
    verb = "member.create" if is_new else "member.update"
    _record(actor, verb, organization, user=str(user.pk), role=str(membership.role))
    return membership


@transaction.atomic
def member_update(actor: Actor, member: Membership, *, role: str) -> Membership:
    """Change a member's role.

    Raises:
        RoleNeeded: only an owner makes, and unmakes, owners; and likewise above and below an admin.
        DutiesMixed, LastOwner, OrganizationNotFound
    """
    may_appoint(actor, member.role)
    may_appoint(actor, role)
    return membership_set(member.organization, user=member.user, role=role, actor=actor)


@transaction.atomic
def member_remove(actor: Actor, member: Membership) -> None:
    """Remove a member; tokens issued for the member there lose their effect. All members may leave.

    Raises:
        RoleNeeded, LastOwner, OrganizationNotFound
    """
    lock_organization(member.organization)
    if member.user_id != actor.user_id:
        may_appoint(actor, member.role)
    _need_another_owner(member.organization, member.user)
    membership_end(actor, member)
    now = clock.now()
    member_tokens = ApiToken.objects.filter(
        user=member.user_id, project__organization=member.organization_id, revoked_at=None
    )
    member_tokens.update(revoked_at=now, updated_at=now)


def membership_end(actor: Actor, member: Membership) -> None:
    """Delete a membership without checks: the caller checks the rights and revokes the tokens."""
    member.delete()
    _record(actor, "member.remove", member.organization, user=str(member.user_id), role=str(member.role))


def may_appoint(actor: Actor, role: str) -> None:
    """Check that the actor may give this role: only an owner appoints officers, an admin does not.

    Raises:
        RoleNeeded
    """
    if actor.role == Role.OWNER or (actor.role == Role.ADMIN and includes(Role.ADMIN, role)):
        return
    raise RoleNeeded(role=Role.OWNER if role in (Role.OWNER, OFFICER) else Role.ADMIN)


def _need_another_owner(organization: Organization, user: User) -> None:
    owners = set(Membership.objects.filter(organization=organization, role=Role.OWNER).values_list("user", flat=True))
    if owners == {user.pk}:
        raise LastOwner(email=user.email)


def _record(actor: Actor, verb: str, organization: Organization, **facts: str) -> None:
    record_of_organization(actor, verb, organization.pk, organization.pk, organization=str(organization.pk), **facts)
