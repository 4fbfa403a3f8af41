"""Authorization of an operation by the rules in authorization_rules.py."""

from collections.abc import Iterable
from dataclasses import replace

from andromede_core.documents.messages import either
from controlplane.identity.actor import Actor
from controlplane.identity.authorization_rule import Rule
from controlplane.identity.authorization_rules import TABLE, rule_of
from controlplane.identity.authorization_terms import OWN, PUBLIC, SIGNED_IN, Roles
from controlplane.identity.errors import RoleNeeded, ScopeNeeded
from controlplane.identity.roles import NO_ROLE, least

ORGANIZATION_SCOPE = "organization"


def authorize(actor: Actor, operation_id: str) -> Actor:
    """Return the actor with the roles that may do the operation, of those that it has in several organizations or
    projects.

    Raises:
        NobodyMay, RoleNeeded
        ScopeNeeded: the role suffices, but the token is limited.
    """
    rule = rule_of(operation_id)
    if rule.roles == SIGNED_IN:
        return actor
    let_in = actor if rule.roles >= OWN or rule.roles == PUBLIC else _with_roles(actor, rule.roles)
    if not actor.scope.has(rule.kind, rule.verb):
        raise ScopeNeeded(scope=rule.scope)
    if rule.is_of_organization and _is_for_projects(actor):
        raise ScopeNeeded(scope=ORGANIZATION_SCOPE)
    return let_in


def permitted_operations(actor: Actor, operation_ids: Iterable[str]) -> list[str]:
    """Return the operations that the rules allow to an actor in one scope (Actor.within).

    Operations on the caller's own account (OWN) are not included.
    """
    roles = actor.platform_roles | ({actor.role} if actor.organization_id is not None else set())
    return sorted(each for each in operation_ids if _is_open_to(TABLE[each], actor, roles))


def _is_open_to(rule: Rule, actor: Actor, roles: Roles) -> bool:
    if rule.roles == SIGNED_IN:
        return True
    is_in_scope = actor.scope.has(rule.kind, rule.verb) and not (rule.is_of_organization and _is_for_projects(actor))
    return is_in_scope and not rule.roles.isdisjoint(roles)


def _with_roles(actor: Actor, roles: Roles) -> Actor:
    """Return the actor with only these roles. Raises RoleNeeded."""
    if actor.organization_id is not None and actor.role in roles:
        return actor
    let_in = replace(
        actor,
        role=actor.role if actor.role in roles else NO_ROLE,
        project_id=None,
        organization_id=None,
        is_operator=actor.is_operator and "operator" in roles,
        is_auditor=actor.is_auditor and "auditor" in roles,
        is_support=actor.is_support and "support" in roles,
        memberships={organization_id: role for organization_id, role in actor.memberships.items() if role in roles},
        grants={project_id: role for project_id, role in actor.grants.items() if role in roles},
    )
    if not (let_in.sees_all or let_in.memberships or let_in.grants):
        raise RoleNeeded(role=either(*least(roles)))
    return let_in


def _is_for_projects(actor: Actor) -> bool:
    return actor.project_id is not None or actor.scope.project_ids is not None
