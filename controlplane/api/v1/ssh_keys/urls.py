from django.urls import path

from controlplane.api.v1.ssh_keys import views

urlpatterns = [
    path("projects/<str:project>/ssh-keys", views.SshKeyList.as_view()),
    path("projects/<str:project>/ssh-keys/<str:ssh_key>", views.SshKeyDetail.as_view()),
]
