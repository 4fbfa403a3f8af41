"""Service accounts with their tokens, an organization's tokens, those for the platform, one's own, and who one is."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.identity import me, selectors, service_accounts, tokens
from controlplane.identity.api import TOKENS, ActorView, OrganizationView, new_token
from controlplane.identity.models import Project, ServiceAccount
from controlplane.identity.serializers import (
    MeOut,
    OwnTokenIn,
    ServiceAccountIn,
    ServiceAccountOut,
    ServiceAccountPatch,
    TokenOut,
    TokenWithSecretOut,
    WideTokenIn,
)
from controlplane.kernel.listing import Listing, created_after, exactly
from controlplane.kernel.rest import Body, NamedTwice, created, found, found_all, route

SERVICE_ACCOUNTS = Listing(
    {"created_after": created_after(), "name": exactly("name", "The service account of this name.")}
)


class AccountsView(OrganizationView):
    def account(self) -> ServiceAccount:
        return selectors.service_account_get(self.organization, self.kwargs["service_account"])

    def projects_named(self, refs: Sequence[str] | None) -> list[UUID] | None:
        if refs is None:
            return None
        return [project.pk for project in found_all(self.project_named, refs, at="projects")]

    def project_named(self, ref: str) -> Project:
        return selectors.project_in(self.organization, ref)

    def grants(self, wanted: Sequence[Mapping[str, Any]]) -> dict[Project | None, str]:
        """By project, each once."""
        grants: dict[Project | None, str] = {}
        for number, grant in enumerate(wanted):
            ref, at = grant.get("project"), f"grants/{number}/project"
            project = found(self.project_named, ref, at=at) if ref is not None else None
            if project in grants:
                raise NamedTwice(field=at, name=ref or "-")
            grants[project] = grant["role"]
        return grants


class ServiceAccountList(AccountsView):
    @route("service_account_list", ServiceAccountOut, listing=SERVICE_ACCOUNTS)
    def get(self, request: Request) -> Response:
        rows = selectors.service_accounts(self.organization)
        return SERVICE_ACCOUNTS.page(request, rows).answer(ServiceAccountOut)

    @route("service_account_create", ServiceAccountOut, body=ServiceAccountIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        made = service_accounts.service_account_create(
            self.actor, self.organization, name=body["name"], grants=self.grants(body["grants"])
        )
        return created(ServiceAccountOut(made).data, request=request)


class ServiceAccountDetail(AccountsView):
    def versioned(self) -> ServiceAccount:
        return self.account()

    @route("service_account_get", ServiceAccountOut)
    def get(self, request: Request) -> Response:
        return Response(ServiceAccountOut(self.account()).data)

    @route("service_account_update", ServiceAccountOut, body=ServiceAccountPatch)
    def patch(self, request: Request, body: Body) -> Response:
        """Grants replace those that there are. While it is disabled, its tokens are dead."""
        account = self.account()
        changed = service_accounts.service_account_update(
            self.actor,
            account,
            name=body.get("name", account.name),
            is_disabled=body.get("is_disabled", account.disabled_at is not None),
            grants=self.grants(body["grants"]) if "grants" in body else None,
        )
        return Response(ServiceAccountOut(changed).data)

    @route("service_account_delete", status=204)
    def delete(self, request: Request) -> Response:
        """With its tokens."""
        service_accounts.service_account_delete(self.actor, self.account())
        return Response(status=204)


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
    """The tokens for its projects and of its service accounts."""

    @route("organization_token_list", TokenOut, listing=TOKENS)
    def get(self, request: Request) -> Response:
        return TOKENS.page(request, selectors.organization_tokens(self.organization)).answer(TokenOut)


class OrganizationToken(OrganizationView):
    @route("organization_token_revoke", status=204)
    def delete(self, request: Request) -> Response:
        tokens.token_revoke(self.actor, selectors.organization_token_get(self.organization, self.kwargs["token"]))
        return Response(status=204)


class PlatformTokens(ActorView):
    """Everybody's tokens that are good for a duty for the platform."""

    @route("platform_token_list", TokenOut, listing=TOKENS)
    def get(self, request: Request) -> Response:
        return TOKENS.page(request, selectors.platform_tokens()).answer(TokenOut)


class PlatformToken(ActorView):
    @route("platform_token_revoke", status=204)
    def delete(self, request: Request) -> Response:
        """Anybody's. The audit says who revoked it."""
        tokens.token_revoke(self.actor, selectors.platform_token_get(self.kwargs["token"]))
        return Response(status=204)


class OwnTokens(ActorView):
    """Of the user or service account whose credential this is."""

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
        return [row.pk for row in found_all(lambda ref: selectors.project_get(self.actor, ref), refs, at="projects")]


class OwnToken(ActorView):
    @route("own_token_revoke", status=204)
    def delete(self, request: Request) -> Response:
        tokens.token_revoke(self.actor, selectors.own_token_get(self.actor, self.kwargs["token"]))
        return Response(status=204)


class Me(ActorView):
    @route("me_get", MeOut)
    def get(self, request: Request) -> Response:
        ends = getattr(request.auth, "expires_at", None)
        return Response(MeOut(me.describe(self.actor, session_ends=ends)).data)


def _issued(token: Any, secret: str, place: str) -> Response:
    return Response(TokenOut(token).data | {"secret": secret}, status=201, headers={"Location": place})
