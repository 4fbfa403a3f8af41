"""Memberships by a provider's groups: given and removed at each sign-in."""

from collections.abc import Sequence
from uuid import UUID

from andromede_core.documents.messages import Message
from controlplane.audit.services import record_of_organization
from controlplane.identity.actor import Actor
from controlplane.identity.errors import DutiesMixed
from controlplane.identity.models import Membership, Organization
from controlplane.identity.roles import INCLUDES, OFFICER, includes
from controlplane.identity.services import membership_set
from controlplane.kernel import clock
from controlplane.kernel.names import as_uuid
from controlplane.signin.errors import OpenIdRefused
from controlplane.signin.models import GivenMembership, Identity, NamedOrganization
from controlplane.signin.openid.providers import GroupMapping


def roles_by_organization(provider: str, grants: Sequence[GroupMapping]) -> dict[UUID, str]:
    """Return the role of each organization, by its id.

    Of several roles in one organization the one that includes the others. In the caller's transaction.

    Raises:
        OpenIdRefused: none includes the others, and a user has one role.
    """
    places = {grant.organization: _place(provider, grant.organization) for grant in grants}
    roles: dict[UUID, str] = {}
    for grant in sorted(grants, key=lambda grant: len(INCLUDES[grant.role])):
        organization_id = places[grant.organization]
        if organization_id is None:
            continue
        role_so_far = roles.get(organization_id, grant.role)
        if not includes(grant.role, role_so_far):
            raise OpenIdRefused(
                reason=Message(
                    "its groups give you two duties in {organization} that one person cannot have.",
                    organization=grant.organization,
                )
            )
        roles[organization_id] = grant.role
    return roles


def _place(provider: str, ref: str) -> UUID | None:
    """Return the organization of this id; or the one that had this name when it was first used, whatever its name is
    now. None: there is none yet.
    """
    if (as_id := as_uuid(ref)) is not None:
        return as_id
    rows = NamedOrganization.objects.filter(provider=provider, name=ref)
    if (known := rows.first()) is not None:
        return known.organization_id
    named = Organization.objects.filter(name=ref, deleted_at=None).first()
    if named is None:
        return None
    created, _ = NamedOrganization.objects.get_or_create(provider=provider, name=ref, defaults={"organization": named})
    return created.organization_id


def synchronise(actor: Actor, identity: Identity, roles: dict[UUID, str]) -> None:
    """Give the memberships of the groups, and remove those that they gave before and do not give any more.

    Memberships given otherwise do not change. In the caller's transaction.

    Raises:
        DutiesMixed: the user has a platform role, and a group would make the user a sovereignty officer.
    """
    user = identity.user
    given = {each.membership.organization_id: each for each in _given(identity)}
    for organization in Organization.objects.filter(pk__in=roles, deleted_at=None):
        role = roles[organization.pk]
        before = given.pop(organization.pk, None)
        if before is None and Membership.objects.filter(organization=organization, user=user).exists():
            continue
        if before is None or before.membership.role != role:
            membership = _grant_membership(identity, organization, role, before)
            _record(actor, "membership.set_by_group", membership, organization, role=role)
    for gone in given.values():
        _revoke_membership(actor, gone)


def _grant_membership(
    identity: Identity, organization: Organization, role: str, before: GivenMembership | None
) -> Membership:
    """Give a membership; the provider's groups may also leave an organization without an owner."""
    if before is None:
        membership = membership_set(organization, user=identity.user, role=role)
        GivenMembership.objects.create(identity=identity, membership=membership)
        return membership
    if role == OFFICER and identity.user.platform_role:
        raise DutiesMixed(email=identity.user.email)
    Membership.objects.filter(pk=before.membership_id).update(role=role, updated_at=clock.now())
    return before.membership


def revoke_all(actor: Actor, identity: Identity) -> None:
    """Remove all memberships that the provider's groups gave."""
    for each in _given(identity):
        _revoke_membership(actor, each)


def _given(identity: Identity) -> list[GivenMembership]:
    rows = GivenMembership.objects.filter(identity=identity)
    return list(rows.select_related("membership__organization").select_for_update(of=("self",)))


def _revoke_membership(actor: Actor, given: GivenMembership) -> None:
    membership = given.membership
    _record(actor, "membership.remove_by_group", membership, membership.organization)
    membership.delete()


def _record(actor: Actor, verb: str, membership: Membership, organization: Organization, **facts: str) -> None:
    record_of_organization(actor, verb, membership.pk, organization.pk, organization=organization.name, **facts)
