"""Base classes of views: authentication, the authorization table, and the project or organization in the path."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

from django.db.models import Model
from rest_framework.request import Request

from controlplane.identity import selectors
from controlplane.identity.actor import Actor
from controlplane.identity.authorization import authorize, permitted_operations
from controlplane.identity.authorization_rules import rule_of
from controlplane.identity.authorization_terms import PUBLIC
from controlplane.identity.errors import NobodyMay
from controlplane.identity.models import Organization, Project
from controlplane.kernel.views import Route, View, resolve_reference, resolve_references
from controlplane.nodes import selectors as node_selectors
from controlplane.nodes.models import Node

M = TypeVar("M", bound=Model)


class ActorView(View):
    """View for authenticated actors with the permission in the authorization table (rules.py).

    `proved_methods`: methods for which a session needs a fresh proof of identity (api/authentication.py).
    """

    proved_methods: tuple[str, ...] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        requested_route = cast(Route, self.route_of(request))
        self.find_scope()
        self.actor = authorize(self.actor, requested_route.operation_id)

    def find_scope(self) -> None:
        """Find the project or organization in the path; to an actor without a role there it does not exist."""

    @property
    def actor(self) -> Actor:
        return cast(Actor, self.request.user)

    @actor.setter
    def actor(self, actor: Actor) -> None:
        cast(Any, self.request).user = actor


class PublicView(View):
    """View without authentication; the authorization table has to list it as public."""

    permission_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        requested_route = cast(Route, self.route_of(request))
        if rule_of(requested_route.operation_id).roles != PUBLIC:
            raise NobodyMay(operation=requested_route.operation_id)


class ScopeView(ActorView):
    """View of a scope in the path. `operation_ids`: the operations of all views in such a scope."""

    operation_ids: ClassVar[set[str]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if ScopeView in cls.__bases__:
            cls.operation_ids = set()
        cls.operation_ids.update(each.operation_id for each in cls.routes().values())

    @property
    def permissions(self) -> list[str]:
        """Return the operations of the scope that the actor may do."""
        return permitted_operations(self.actor, self.operation_ids)


class ProjectView(ScopeView):
    """View of the project in the path."""

    project: Project

    def find_scope(self) -> None:
        self.project = selectors.project_get(self.actor, self.kwargs["project"])
        self.actor = self.actor.within(self.project)

    def named(self, get: Callable[[Actor, Project, str], M], ref: str, *, at: str) -> M:
        """Return the project's resource that the field `at` of the body names."""
        return resolve_reference(partial(get, self.actor, self.project), ref, at=at)

    def all_named(self, get: Callable[[Actor, Project, str], M], refs: Sequence[str], *, at: str) -> tuple[M, ...]:
        return resolve_references(partial(get, self.actor, self.project), refs, at=at)


class OrganizationView(ScopeView):
    """View of the organization in the path; an organization in which the actor has no role does not exist for the
    actor.
    """

    organization: Organization

    def find_scope(self) -> None:
        self.organization = selectors.organization_get(self.actor, self.kwargs["organization"])
        self.actor = self.actor.within_organization(self.organization)


class OperatorView(ActorView):
    """View for operators. The existence of nodes is no secret: a tenant gets 403."""

    def node(self) -> Node:
        return node_selectors.node_get(self.actor, self.kwargs["node"])
