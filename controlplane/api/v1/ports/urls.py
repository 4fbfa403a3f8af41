from django.urls import path

from controlplane.api.v1.ports import views

urlpatterns = [
    path("projects/<str:project>/ports", views.PortList.as_view()),
    path("projects/<str:project>/ports/<str:port>", views.PortDetail.as_view()),
    path("projects/<str:project>/ports/<str:port>/actions/attach", views.PortAttach.as_view()),
    path("projects/<str:project>/ports/<str:port>/actions/detach", views.PortDetach.as_view()),
]
