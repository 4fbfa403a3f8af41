from django.urls import path

from controlplane.api.v1.quotas import views

ORGANIZATION = "organizations/<str:organization>"
QUOTA_REQUEST = f"{ORGANIZATION}/quota-requests/<str:quota_request>"

urlpatterns = [
    path("projects/<str:project>/limits", views.Limits.as_view()),
    path("projects/<str:project>/quotas", views.ProjectQuotas.as_view()),
    path(f"{ORGANIZATION}/limits", views.OrganizationLimits.as_view()),
    path(f"{ORGANIZATION}/quotas", views.OrganizationQuotas.as_view()),
    path(f"{ORGANIZATION}/quota-requests", views.RequestList.as_view()),
    path(QUOTA_REQUEST, views.RequestDetail.as_view()),
    path(f"{QUOTA_REQUEST}/actions/approve", views.RequestApprove.as_view()),
    path(f"{QUOTA_REQUEST}/actions/refuse", views.RequestRefuse.as_view()),
    path(f"{QUOTA_REQUEST}/actions/withdraw", views.RequestWithdraw.as_view()),
]
