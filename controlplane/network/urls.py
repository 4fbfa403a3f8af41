from django.urls import path

from controlplane.network import api

urlpatterns = [
    path("projects/<str:project>/networks", api.NetworkList.as_view()),
    path("projects/<str:project>/networks/<str:network>", api.NetworkDetail.as_view()),
]
