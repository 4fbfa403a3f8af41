"""Permissions in an organization or project agree with the requests that are let through."""

from collections.abc import Iterator

import pytest

from controlplane.api.base_views import OrganizationView, ProjectView
from controlplane.identity.actor import Actor
from controlplane.identity.authorization import authorize
from controlplane.identity.authorization_rules import TABLE
from controlplane.identity.authorization_terms import OWN
from controlplane.identity.credentials import actor_of
from controlplane.identity.errors import NobodyMay, RoleNeeded, ScopeNeeded
from tests.api.client import Caller
from tests.api.test_authorization import bound, for_the_platform, of_alpha, person, wide
from tests.world import Cloud

ROLES = ("owner", "admin", "member", "viewer", "billing", "sovereignty_officer")
KINDS = ("instances", "projects", "organizations", "members")
DUTIES = ("operator", "support", "auditor")


def callers(cloud: Cloud) -> Iterator[tuple[str, str]]:
    for role in ROLES:
        yield role, of_alpha(role)(cloud)
    yield "for one project", bound("admin")(cloud)
    yield "that reads", wide(person("owner", cloud.tenant.project.organization), verbs=("read",))
    yield "of instances", wide(person("owner", cloud.tenant.project.organization), kinds=KINDS)
    for duty in DUTIES:
        yield duty, for_the_platform(duty)(cloud)


def actor(secret: str) -> Actor:
    result = actor_of(secret)
    assert result is not None
    return result


def is_let_through(actor: Actor, operation: str) -> bool:
    try:
        authorize(actor, operation)
    except (NobodyMay, RoleNeeded, ScopeNeeded):
        return False
    return True


def test_project_permissions_agree_with_authorization(cloud: Cloud) -> None:
    project = cloud.tenant.project
    for name, secret in callers(cloud):
        permissions = Caller(token=secret).get(f"/v1/projects/{project.pk}").body["permissions"]
        asks = actor(secret).within(project)
        let = {each for each in ProjectView.operation_ids if is_let_through(asks, each)}
        assert permissions == sorted(let), name


def test_organization_permissions_agree_with_authorization(cloud: Cloud) -> None:
    organization = cloud.tenant.project.organization
    own = {name for name, rule in TABLE.items() if rule.roles >= OWN}
    for name, secret in callers(cloud):
        answer = Caller(token=secret).get(f"/v1/organizations/{organization.pk}")
        asks = actor(secret).within_organization(organization)
        let = {each for each in OrganizationView.operation_ids - own if is_let_through(asks, each)}
        assert set(answer.body["permissions"]) - own == let, name


@pytest.mark.parametrize(("role", "may"), [("owner", True), ("admin", True), ("member", False), ("viewer", False)])
def test_member_who_may_only_leave_has_no_remove_permission(cloud: Cloud, role: str, may: bool) -> None:
    secret = of_alpha(role)(cloud)
    permissions = (
        Caller(token=secret).get(f"/v1/organizations/{cloud.tenant.project.organization_id}").body["permissions"]
    )
    assert ("member_remove" in permissions) is may


def test_viewer_has_only_read_permissions(viewer: Caller) -> None:
    permissions = viewer.get("/v1/projects/alpha").body["permissions"]
    assert {"instance_list", "instance_console_open", "policy_get"} <= set(permissions)
    assert not {"instance_create", "instance_start", "policy_set", "terraform_state_read"} & set(permissions)
