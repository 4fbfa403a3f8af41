from django.urls import path

from controlplane.api.v1.terraform_states import views

PROJECT = "projects/<str:project>"
TERRAFORM_STATE = f"{PROJECT}/terraform-states/<str:terraform_state>"

urlpatterns = [
    path(f"{PROJECT}/terraform-states", views.StateList.as_view()),
    path(TERRAFORM_STATE, views.StateDetail.as_view()),
    path(f"{TERRAFORM_STATE}/actions/lock", views.StateLock.as_view()),
    path(f"{TERRAFORM_STATE}/actions/unlock", views.StateUnlock.as_view()),
    path(f"{TERRAFORM_STATE}/versions", views.StateVersionList.as_view()),
    path(f"{TERRAFORM_STATE}/versions/<str:version>", views.StateVersionDetail.as_view()),
]
