"""Routes of API tokens: of projects, organizations, the platform, and the caller."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import ActorView, OrganizationView, ProjectView
from controlplane.api.v1.service_accounts.views import AccountsView
from controlplane.api.v1.tokens.schemas import OwnTokenIn, TokenIn, TokenOut, TokenWithSecretOut, WideTokenIn
from controlplane.identity import selectors, tokens
from controlplane.identity.errors import TokenNotFound
from controlplane.identity.tokens import NewToken
from controlplane.kernel.listing import Listing, created_after, exactly
from controlplane.kernel.names import as_uuid
from controlplane.kernel.views import Body, created, resolve_references, route

TOKENS = Listing({"created_after": created_after(), "name": exactly("name", "The token of this name.")})


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


class ServiceAccountTokens(AccountsView):
    proved_methods = ("POST",)

    @route("service_account_token_list", TokenOut, listing=TOKENS)
    def get(self, request: Request) -> Response:
        return TOKENS.page(request, selectors.tokens_of(self.account())).answer(TokenOut)

    @route("service_account_token_create", TokenWithSecretOut, body=WideTokenIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        account = self.account()
        new = new_token(body, project_ids=self.projects_named(body["projects"]))
        token, secret = tokens.account_token_create(self.actor, account, new)
        return _issued(token, secret, f"/v1/organizations/{self.organization.pk}/tokens/{token.pk}")


class OrganizationTokens(OrganizationView):
    """Tokens for the organization's projects and of its service accounts."""

    @route("organization_token_list", TokenOut, listing=TOKENS)
    def get(self, request: Request) -> Response:
        return TOKENS.page(request, selectors.organization_tokens(self.organization)).answer(TokenOut)


class OrganizationToken(OrganizationView):
    @route("organization_token_revoke", status=204)
    def delete(self, request: Request) -> Response:
        tokens.token_revoke(self.actor, selectors.organization_token_get(self.organization, self.kwargs["token"]))
        return Response(status=204)


class PlatformTokens(ActorView):
    """Tokens of all users with a platform role."""

    @route("platform_token_list", TokenOut, listing=TOKENS)
    def get(self, request: Request) -> Response:
        return TOKENS.page(request, selectors.platform_tokens()).answer(TokenOut)


class PlatformToken(ActorView):
    @route("platform_token_revoke", status=204)
    def delete(self, request: Request) -> Response:
        """Revoke a token of any user. The audit log records who revoked it."""
        tokens.token_revoke(self.actor, selectors.platform_token_get(self.kwargs["token"]))
        return Response(status=204)


class OwnTokens(ActorView):
    """Tokens of the user or service account that makes the request."""

    proved_methods = ("POST",)

    @route("own_token_list", TokenOut, listing=TOKENS)
    def get(self, request: Request) -> Response:
        return TOKENS.page(request, selectors.own_tokens(self.actor)).answer(TokenOut)

    @route("own_token_create", TokenWithSecretOut, body=OwnTokenIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        new = new_token(body, project_ids=self._projects(body["projects"]), is_platform=body["is_platform"])
        token, secret = tokens.own_token_create(self.actor, new)
        return _issued(token, secret, f"/v1/tokens/{token.pk}")

    def _projects(self, refs: Sequence[str] | None) -> list[UUID] | None:
        if refs is None:
            return None
        return [
            row.pk
            for row in resolve_references(lambda ref: selectors.project_get(self.actor, ref), refs, at="projects")
        ]


class OwnToken(ActorView):
    @route("own_token_revoke", status=204)
    def delete(self, request: Request) -> Response:
        tokens.token_revoke(self.actor, selectors.own_token_get(self.actor, self.kwargs["token"]))
        return Response(status=204)


def _issued(token: Any, secret: str, location: str) -> Response:
    return Response(TokenOut(token).data | {"secret": secret}, status=201, headers={"Location": location})
