"""URLs: the API is under /v1 (controlplane/api/v1/urls.py), well-known addresses are separate, and all others are the
dashboard's.
"""

from django.urls import include, path

from controlplane.api import rule_coverage
from controlplane.api.v1.instance_identity.views import JsonWebKeySet
from controlplane.api.v1.terraform_registry.views import Services

api_patterns = [
    path("v1/", include("controlplane.api.v1.urls")),
    path(".well-known/terraform.json", Services.as_view()),
    path(".well-known/jwks.json", JsonWebKeySet.as_view()),
]
rule_coverage.check(api_patterns)

urlpatterns = [*api_patterns, path("", include("controlplane.dashboard.urls"))]

handler400 = "controlplane.config.error_handlers.bad_request"
handler404 = "controlplane.config.error_handlers.not_found"
handler500 = "controlplane.config.error_handlers.server_error"
