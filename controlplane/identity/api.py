"""Projects and their tokens; and the base of all views that are about a project."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, TypeVar, cast

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity import selectors, services, tokens
from controlplane.identity.actor import Actor
from controlplane.identity.authorization import admitted, permitted
from controlplane.identity.errors import NobodyMay, TokenNotFound
from controlplane.identity.models import Organization, Project
from controlplane.identity.rights import PUBLIC
from controlplane.identity.rules import rule_of
from controlplane.identity.serializers import (
    NamedPatch,
    ProjectOut,
    ProjectWithPermissionsOut,
    TokenIn,
    TokenOut,
    TokenWithSecretOut,
)
from controlplane.identity.tokens import NewToken
from controlplane.kernel.fields import merged
from controlplane.kernel.listing import Listing, created_after, exactly, labelled
from controlplane.kernel.names import as_uuid
from controlplane.kernel.rest import Body, Route, View, created, found, found_all, route

M = TypeVar("M", bound=Model)
PROJECTS = Listing(
    {
        "created_after": created_after(),
        "name": exactly("name", "The project of this name."),
        "organization": exactly("organization__name", "The projects of the organization of this name."),
        "labels": labelled(),
    }
)
TOKENS = Listing({"created_after": created_after(), "name": exactly("name", "The token of this name.")})


class ActorView(View):
    """Asked by somebody known, who may do this by the table (rules.py). `proved_methods`: those for which a
    session needs a fresh proof of who it is (api/authentication.py)."""

    proved_methods: tuple[str, ...] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        asked = cast(Route, self.route_of(request))
        self.find_place()
        self.actor = admitted(self.actor, asked.operation_id)

    def find_place(self) -> None:
        """Look for the project or organization in the path; where one is nobody, it is not there."""

    @property
    def actor(self) -> Actor:
        return cast(Actor, self.request.user)

    @actor.setter
    def actor(self, actor: Actor) -> None:
        cast(Any, self.request).user = actor


class PublicView(View):
    """Open to everybody, known or not, as the table has to say."""

    permission_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        asked = cast(Route, self.route_of(request))
        if rule_of(asked.operation_id).roles != PUBLIC:
            raise NobodyMay(operation=asked.operation_id)


class PlaceView(ActorView):
    """About a place that the path names. `operation_ids`: what can be done in such a place, by all views together."""

    operation_ids: ClassVar[set[str]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if PlaceView in cls.__bases__:
            cls.operation_ids = set()
        cls.operation_ids.update(each.operation_id for each in cls.routes().values())

    @property
    def permissions(self) -> list[str]:
        """What of it the actor may."""
        return permitted(self.actor, self.operation_ids)


class ProjectView(PlaceView):
    """About the project in the path."""

    project: Project

    def find_place(self) -> None:
        self.project = selectors.project_get(self.actor, self.kwargs["project"])
        self.actor = self.actor.within(self.project)

    def named(self, get: Callable[[Actor, Project, str], M], ref: str, *, at: str) -> M:
        """What the field `at` of the body refers to, in the project."""
        return found(partial(get, self.actor, self.project), ref, at=at)

    def all_named(self, get: Callable[[Actor, Project, str], M], refs: Sequence[str], *, at: str) -> tuple[M, ...]:
        return found_all(partial(get, self.actor, self.project), refs, at=at)


class OrganizationView(PlaceView):
    """About the organization in the path; one in which the actor has no role is not there."""

    organization: Organization

    def find_place(self) -> None:
        self.organization = selectors.organization_get(self.actor, self.kwargs["organization"])
        self.actor = self.actor.within_organization(self.organization)


class ProjectList(ActorView):
    @route("project_list", ProjectOut, listing=PROJECTS)
    def get(self, request: Request) -> Response:
        return PROJECTS.page(request, selectors.projects(self.actor)).answer(ProjectOut)


class ProjectDetail(ProjectView):
    def versioned(self) -> Project:
        return self.project

    @route("project_get", ProjectWithPermissionsOut)
    def get(self, request: Request) -> Response:
        return Response({**ProjectOut(self.project).data, "permissions": self.permissions})

    @route("project_update", ProjectOut, body=NamedPatch)
    def patch(self, request: Request, body: Body) -> Response:
        project = self.project
        labels = merged(project.labels, body.get("labels", {}))
        project = services.project_update(self.actor, project, name=body.get("name", project.name), labels=labels)
        return Response(ProjectOut(project).data)

    @route("project_delete", status=204)
    def delete(self, request: Request) -> Response:
        """Refused while there is something in it; the refusal names what."""
        services.project_delete(self.actor, self.project)
        return Response(status=204)


class TokenList(ProjectView):
    proved_methods = ("POST",)

    @route("token_list", TokenOut, listing=TOKENS)
    def get(self, request: Request) -> Response:
        return TOKENS.page(request, selectors.tokens(self.actor, self.project)).answer(TokenOut)

    @route("token_create", TokenWithSecretOut, body=TokenIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        token, secret = tokens.token_create(self.actor, self.project, new_token(body))
        return created(TokenOut(token).data | {"secret": secret}, request=request)


class TokenDetail(ProjectView):
    @route("token_revoke", status=204)
    def delete(self, request: Request) -> Response:
        token_id = as_uuid(self.kwargs["token"])
        if token_id is None:
            raise TokenNotFound(name=self.kwargs["token"])
        tokens.project_token_revoke(self.actor, self.project, token_id=token_id)
        return Response(status=204)


def new_token(body: Body, **more: Any) -> NewToken:
    return NewToken(
        name=body["name"],
        role=body.get("role", ""),
        lifetime=timedelta(days=body["lifetime_days"]),
        verbs=body["verbs"],
        kinds=body["kinds"],
        **more,
    )
