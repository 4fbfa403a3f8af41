"""Everything is under /v1: see controlplane/api/v1.py. What is no route, and what fails, is answered as a problem."""

from django.urls import include, path

urlpatterns = [path("v1/", include("controlplane.api.v1"))]

handler400 = "controlplane.api.problems.bad_request"
handler404 = "controlplane.api.problems.not_found"
handler500 = "controlplane.api.problems.server_error"
