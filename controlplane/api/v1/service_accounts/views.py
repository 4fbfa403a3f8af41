"""Routes of service accounts."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from controlplane.api.base_views import OrganizationView
from controlplane.api.v1.service_accounts.schemas import ServiceAccountIn, ServiceAccountOut, ServiceAccountPatch
from controlplane.identity import selectors, service_accounts
from controlplane.identity.models import Project, ServiceAccount
from controlplane.kernel.listing import Listing, created_after, exactly
from controlplane.kernel.views import Body, NamedTwice, created, resolve_reference, resolve_references, route

SERVICE_ACCOUNTS = Listing(
    {"created_after": created_after(), "name": exactly("name", "The service account of this name.")}
)


class AccountsView(OrganizationView):
    def account(self) -> ServiceAccount:
        return selectors.service_account_get(self.organization, self.kwargs["service_account"])

    def projects_named(self, refs: Sequence[str] | None) -> list[UUID] | None:
        if refs is None:
            return None
        return [project.pk for project in resolve_references(self.project_named, refs, at="projects")]

    def project_named(self, ref: str) -> Project:
        return selectors.project_in(self.organization, ref)

    def grants(self, requested: Sequence[Mapping[str, Any]]) -> dict[Project | None, str]:
        """Return the role grants by project; a project may occur once."""
        grants: dict[Project | None, str] = {}
        for number, grant in enumerate(requested):
            ref, at = grant.get("project"), f"grants/{number}/project"
            project = resolve_reference(self.project_named, ref, at=at) if ref is not None else None
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
        account = service_accounts.service_account_create(
            self.actor, self.organization, name=body["name"], grants=self.grants(body["grants"])
        )
        return created(ServiceAccountOut(account).data, request=request)


class ServiceAccountDetail(AccountsView):
    def versioned(self) -> ServiceAccount:
        return self.account()

    @route("service_account_get", ServiceAccountOut)
    def get(self, request: Request) -> Response:
        return Response(ServiceAccountOut(self.account()).data)

    @route("service_account_update", ServiceAccountOut, body=ServiceAccountPatch)
    def patch(self, request: Request, body: Body) -> Response:
        """Change a service account. `grants` replace the former ones. While it is disabled, its tokens are rejected."""
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
        """Delete a service account with its tokens."""
        service_accounts.service_account_delete(self.actor, self.account())
        return Response(status=204)
