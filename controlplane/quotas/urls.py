from django.urls import path

from controlplane.quotas import api

ORGANIZATION = "organizations/<str:organization>"
REQUEST = f"{ORGANIZATION}/quota-requests/<str:quota_request>"

urlpatterns = [
    path("projects/<str:project>/limits", api.Limits.as_view()),
    path("projects/<str:project>/quotas", api.ProjectQuotas.as_view()),
    path(f"{ORGANIZATION}/limits", api.OrganizationLimits.as_view()),
    path(f"{ORGANIZATION}/quotas", api.OrganizationQuotas.as_view()),
    path(f"{ORGANIZATION}/quota-requests", api.RequestList.as_view()),
    path(REQUEST, api.RequestDetail.as_view()),
    path(f"{REQUEST}/actions/approve", api.RequestApprove.as_view()),
    path(f"{REQUEST}/actions/refuse", api.RequestRefuse.as_view()),
    path(f"{REQUEST}/actions/withdraw", api.RequestWithdraw.as_view()),
]
