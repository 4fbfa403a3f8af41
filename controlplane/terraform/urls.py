from django.urls import path

from controlplane.terraform import registry_api, state_api

STATE = "projects/<str:project>/terraform-states/<str:terraform_state>"
PROVIDER = "terraform/providers/<str:namespace>/<str:terraform_provider>"

urlpatterns = [
    path("projects/<str:project>/terraform-states", state_api.StateList.as_view()),
    path(STATE, state_api.StateDetail.as_view()),
    path(f"{STATE}/actions/lock", state_api.StateLock.as_view()),
    path(f"{STATE}/actions/unlock", state_api.StateUnlock.as_view()),
    path(f"{STATE}/versions", state_api.StateVersionList.as_view()),
    path(f"{STATE}/versions/<str:version>", state_api.StateVersionDetail.as_view()),
    path(f"{PROVIDER}/versions", registry_api.ProviderVersions.as_view()),
    path(f"{PROVIDER}/<str:version>/download/<str:os>/<str:arch>", registry_api.ProviderPackage.as_view()),
    path(f"{PROVIDER}/<str:version>/files/<str:file>", registry_api.ProviderFile.as_view()),
]
