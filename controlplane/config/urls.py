"""Everything is under /v1 (see controlplane/api/v1.py), but for what others look for at a place of theirs. What is no
route, and what fails, is answered as a problem."""

from django.urls import include, path

from controlplane.api import coverage
from controlplane.terraform.registry_api import Services

urlpatterns = [
    path("v1/", include("controlplane.api.v1")),
    path(".well-known/terraform.json", Services.as_view()),
]
coverage.check(urlpatterns)

handler400 = "controlplane.api.problems.bad_request"
handler404 = "controlplane.api.problems.not_found"
handler500 = "controlplane.api.problems.server_error"
