"""Projects and their tokens; and the base of all views that are about a project."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from django.db.models import Model
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity import selectors, services
from controlplane.identity.actor import Actor
from controlplane.identity.errors import TokenNotFound
from controlplane.identity.models import Organization, Project
from controlplane.identity.serializers import ProjectOut, TokenIn, TokenOut, TokenWithSecretOut
from controlplane.kernel.listing import Listing, exactly
from controlplane.kernel.names import as_uuid
from controlplane.kernel.rest import Body, View, created, found, found_all, route

M = TypeVar("M", bound=Model)
PROJECTS = Listing({"name": exactly("name", "The project of this name.")})
TOKENS = Listing({"name": exactly("name", "The token of this name.")})


class ActorView(View):
    @property
    def actor(self) -> Actor:
        return cast(Actor, self.request.user)

    @actor.setter
    def actor(self, actor: Actor) -> None:
        cast(Any, self.request).user = actor


class ProjectView(ActorView):
    """About the project in the path. A project that the actor may not see is not there, and whoever may not write is
    told so, before anything else of the request is looked at."""

    project: Project

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.project = selectors.project_get(self.actor, kwargs["project"])
        self.actor = self.actor.within(self.project)
        if request.method not in SAFE_METHODS:
            self.may_change()

    def may_change(self) -> None:
        """Raises RoleNeeded."""
        self.actor.may_write()

    def named(self, get: Callable[[Actor, Project, str], M], ref: str, *, at: str) -> M:
        """What the field `at` of the body refers to, in the project."""
        return found(partial(get, self.actor, self.project), ref, at=at)

    def all_named(self, get: Callable[[Actor, Project, str], M], refs: Sequence[str], *, at: str) -> tuple[M, ...]:
        return found_all(partial(get, self.actor, self.project), refs, at=at)


class OrganizationView(ActorView):
    """About the organization in the path; one in which the actor has no role is not there."""

    organization: Organization

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.organization = selectors.organization_get(self.actor, kwargs["organization"])
        self.actor = self.actor.within_organization(self.organization)


class ProjectList(ActorView):
    @route("project_list", ProjectOut, listing=PROJECTS)
    def get(self, request: Request) -> Response:
        return PROJECTS.page(request, selectors.projects(self.actor)).answer(ProjectOut)


class ProjectDetail(ProjectView):
    @route("project_get", ProjectOut)
    def get(self, request: Request) -> Response:
        return Response(ProjectOut(self.project).data)


class TokenList(ProjectView):
    @route("token_list", TokenOut, listing=TOKENS)
    def get(self, request: Request) -> Response:
        return TOKENS.page(request, selectors.tokens(self.actor, self.project)).answer(TokenOut)

    @route("token_create", TokenWithSecretOut, body=TokenIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        token, secret = services.token_create(self.actor, self.project, **body)
        return created(TokenOut(token).data | {"secret": secret}, request=request)


class TokenDetail(ProjectView):
    @route("token_revoke", status=204)
    def delete(self, request: Request) -> Response:
        token_id = as_uuid(self.kwargs["token"])
        if token_id is None:
            raise TokenNotFound(name=self.kwargs["token"])
        services.token_revoke(self.actor, self.project, token_id=token_id)
        return Response(status=204)
