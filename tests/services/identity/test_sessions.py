"""Roles, in each project and organization, of an actor whose credential has no project."""

import pytest

from controlplane.identity import selectors
from controlplane.identity.actor import Actor
from controlplane.identity.errors import OrganizationNotFound, ProjectNotFound, RoleNeeded
from controlplane.identity.models import Organization, Project, User
from controlplane.identity.services import membership_set, organization_create, project_create, user_create
from controlplane.kernel.ids import new_id

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    """Owner of acme with the projects web and shop, viewer of other with lab; hidden is nothing to her."""
    user = user_create(email="ada@acme.example")
    known = (("acme", "owner", ["web", "shop"]), ("other", "viewer", ["lab"]), ("hidden", None, ["x"]))
    for name, role, projects in known:
        organization = organization_create(name=name)
        for project in projects:
            project_create(organization, name=project)
        if role:
            membership_set(organization, user=user, role=role)
    return user


def signed_in(user: User) -> Actor:
    return selectors.actor_for(user, credential_id=new_id(), request_id="r-1")


def test_user_sees_all_of_its_organizations_only(ada: User) -> None:
    actor = signed_in(ada)
    assert set(selectors.projects(actor).values_list("name", flat=True)) == {"web", "shop", "lab"}
    assert set(selectors.organizations(actor).values_list("name", flat=True)) == {"acme", "other"}
    with pytest.raises(ProjectNotFound):
        selectors.project_get(actor, "x")
    with pytest.raises(OrganizationNotFound):
        selectors.organization_get(actor, "hidden")


def test_role_in_a_project_is_the_role_in_its_organization(ada: User) -> None:
    actor, web, lab = signed_in(ada), Project.objects.get(name="web"), Project.objects.get(name="lab")
    with pytest.raises(RoleNeeded):
        actor.may_write()
    inside = actor.within(web)
    assert (inside.role, inside.project_id, inside.organization_id) == ("owner", web.pk, web.organization_id)
    assert (inside.user_id, inside.credential_id, inside.request_id) == (ada.pk, actor.credential_id, "r-1")
    inside.may_write()
    inside.may_look_inside()
    with pytest.raises(RoleNeeded):
        actor.within(lab).may_write()
    hidden = Project.objects.get(name="x")
    assert (actor.within(hidden).role, actor.within(hidden).organization_ids) == ("", frozenset()), (
        "one is nobody there"
    )


def test_role_in_an_organization_is_that_of_the_membership(ada: User) -> None:
    acme, other = Organization.objects.get(name="acme"), Organization.objects.get(name="other")
    membership_set(other, user=ada, role="sovereignty_officer")
    actor = signed_in(ada)
    assert [actor.within_organization(each).role for each in (acme, other)] == ["owner", "sovereignty_officer"]
    assert actor.ruled_ids == {other.pk}
    actor.may_rule(other.pk)
    with pytest.raises(RoleNeeded):
        actor.may_rule(acme.pk)


def test_an_operator_who_is_no_member_has_no_role_in_a_project(ada: User) -> None:
    web = Project.objects.get(name="web")
    actor = signed_in(user_create(email="otto@example.org", is_operator=True))
    assert selectors.project_get(actor, "web") == web
    assert actor.within(web).project_id is None
    with pytest.raises(RoleNeeded):
        actor.within(web).may_look_inside()
