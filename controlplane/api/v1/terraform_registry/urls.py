from django.urls import path

from controlplane.api.v1.terraform_registry import views

TERRAFORM_PROVIDER = "terraform/providers/<str:namespace>/<str:terraform_provider>"

urlpatterns = [
    path(f"{TERRAFORM_PROVIDER}/versions", views.ProviderVersions.as_view()),
    path(f"{TERRAFORM_PROVIDER}/<str:version>/download/<str:os>/<str:arch>", views.ProviderPackage.as_view()),
    path(f"{TERRAFORM_PROVIDER}/<str:version>/files/<str:file>", views.ProviderFile.as_view()),
]
