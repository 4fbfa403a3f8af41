"""All routes of /v1. Each app has its own in its urls.py."""

from django.urls import include, path

from controlplane.api import fencing, views

urlpatterns = [
    path("healthz", views.Health.as_view()),
    path("openapi.json", views.OpenApi.as_view()),
    path("problems/<str:code>", views.Problem.as_view()),
    path("nodes/<str:node>/actions/fence", fencing.NodeFence.as_view()),
    path("", include("controlplane.signin.urls")),
    path("", include("controlplane.compute.urls")),
    path("", include("controlplane.metrics.urls")),
    path("", include("controlplane.compliance.urls")),
    path("", include("controlplane.audit.urls")),
    path("", include("controlplane.network.urls")),
    path("", include("controlplane.operations.urls")),
    path("", include("controlplane.workflows.urls")),
    path("", include("controlplane.catalog.urls")),
    path("", include("controlplane.placement.urls")),
    path("", include("controlplane.quotas.urls")),
    path("", include("controlplane.identity.urls")),
    path("", include("controlplane.nodes.urls")),
    path("", include("controlplane.terraform.urls")),
    path("", include("controlplane.webhooks.urls")),
    path("", include("controlplane.events.urls")),
]
