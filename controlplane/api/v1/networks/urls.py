from django.urls import path

from controlplane.api.v1.networks import views

urlpatterns = [
    path("projects/<str:project>/networks", views.NetworkList.as_view()),
    path("projects/<str:project>/networks/<str:network>", views.NetworkDetail.as_view()),
    path("projects/<str:project>/networks/<str:network>/topology", views.NetworkTopology.as_view()),
    path("projects/<str:project>/networks/<str:network>/subnets", views.SubnetList.as_view()),
    path("projects/<str:project>/networks/<str:network>/subnets/<str:subnet>", views.SubnetDetail.as_view()),
]
