"""Routes of limits, quotas and quota requests, of projects and organizations."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controlplane.api.base_views import OrganizationView, ProjectView
from controlplane.api.v1.quotas.schemas import (
    DIMENSIONS,
    AnswerIn,
    LimitsOut,
    OrganizationLimitsOut,
    QuotaRequestIn,
    QuotaRequestOut,
    QuotasIn,
    QuotasOut,
)
from controlplane.identity.actor import Actor
from controlplane.identity.selectors import projects
from controlplane.kernel.listing import Listing, among, created_after
from controlplane.kernel.views import Body, created, etag, route, version_to_replace
from controlplane.quotas import requests, selectors, services
from controlplane.quotas.models import QUOTA_REQUEST, QuotaRequest
from controlplane.quotas.quota_owners import QuotaOwner

REQUESTS = Listing(
    {
        "created_after": created_after(),
        "state": among("state", QUOTA_REQUEST.moves),
        "dimension": among("dimension", DIMENSIONS),
    },
    sorts=("-created_at", "created_at"),
)


class Limits(ProjectView):
    """Show the project's limits, its usage, and the amounts left."""

    @route("limits_get", LimitsOut)
    def get(self, request: Request) -> Response:
        return Response(LimitsOut({"items": selectors.usage(self.project)}).data)


class OrganizationLimits(OrganizationView):
    """Show the organization's limits, the usage of its projects together, and each project's part."""

    @route("organization_limits_get", OrganizationLimitsOut)
    def get(self, request: Request) -> Response:
        visible = projects(self.actor).filter(organization=self.organization)
        items = selectors.organization_usage(QuotaOwner(self.organization), visible)
        return Response(OrganizationLimitsOut({"items": items}).data)


class QuotasView(APIView):
    """Base of the views of both levels."""

    actor: Actor

    def answered(self, owner: QuotaOwner) -> Response:
        version = owner.version()
        return Response(QuotasOut({"version": version, "limits": owner.own_limits()}).data, headers=etag(version))

    def replaced(self, request: Request, owner: QuotaOwner, body: Body) -> Response:
        services.may_set(self.actor, owner)
        services.quotas_set(self.actor, owner, body["limits"], version=version_to_replace(request))
        return self.answered(owner)


class ProjectQuotas(QuotasView, ProjectView):
    """Quotas of a project; owners and admins of its organization set them, each up to the organization's own."""

    @route("quotas_get", QuotasOut)
    def get(self, request: Request) -> Response:
        return self.answered(self.owner)

    @route("quotas_set", QuotasOut, body=QuotasIn, is_versioned=True)
    def put(self, request: Request, body: Body) -> Response:
        return self.replaced(request, self.owner, body)

    @property
    def owner(self) -> QuotaOwner:
        return QuotaOwner(self.project.organization, self.project)


class OrganizationQuotas(QuotasView, OrganizationView):
    """Quotas of an organization; operators set them."""

    @route("organization_quotas_get", QuotasOut)
    def get(self, request: Request) -> Response:
        return self.answered(QuotaOwner(self.organization))

    @route("organization_quotas_set", QuotasOut, body=QuotasIn, is_versioned=True)
    def put(self, request: Request, body: Body) -> Response:
        return self.replaced(request, QuotaOwner(self.organization), body)


class RequestList(OrganizationView):
    """Requests of the organization for a higher limit."""

    @route("quota_request_list", QuotaRequestOut, listing=REQUESTS)
    def get(self, request: Request) -> Response:
        rows = QuotaRequest.objects.filter(organization=self.organization)
        return REQUESTS.page(request, rows).answer(QuotaRequestOut)

    @route("quota_request_create", QuotaRequestOut, body=QuotaRequestIn, status=201)
    def post(self, request: Request, body: Body) -> Response:
        quota_request = requests.quota_request_create(self.actor, QuotaOwner(self.organization), **body)
        return created(QuotaRequestOut(quota_request).data, request=request)


class RequestView(OrganizationView):
    def quota_request(self) -> QuotaRequest:
        return selectors.request_get(QuotaOwner(self.organization), self.kwargs["quota_request"])


class RequestDetail(RequestView):
    @route("quota_request_get", QuotaRequestOut)
    def get(self, request: Request) -> Response:
        return Response(QuotaRequestOut(self.quota_request()).data)


class RequestApprove(RequestView):
    """Approve a quota request, as an operator: the organization has the requested limit at once."""

    @route("quota_request_approve", QuotaRequestOut, body=AnswerIn)
    def post(self, request: Request, body: Body) -> Response:
        return Response(QuotaRequestOut(requests.quota_request_approve(self.actor, self.quota_request(), **body)).data)


class RequestRefuse(RequestView):
    """Refuse a quota request, as an operator, with a reason."""

    @route("quota_request_refuse", QuotaRequestOut, body=AnswerIn)
    def post(self, request: Request, body: Body) -> Response:
        return Response(QuotaRequestOut(requests.quota_request_refuse(self.actor, self.quota_request(), **body)).data)


class RequestWithdraw(RequestView):
    """Withdraw a quota request of the organization."""

    @route("quota_request_withdraw", QuotaRequestOut)
    def post(self, request: Request) -> Response:
        return Response(QuotaRequestOut(requests.quota_request_withdraw(self.actor, self.quota_request())).data)
