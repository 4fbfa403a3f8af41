"""Everything is under /v1: see controlplane/api/v1.py."""

from django.urls import include, path

urlpatterns = [path("v1/", include("controlplane.api.v1"))]
