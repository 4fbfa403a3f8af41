from django.urls import path

from controlplane.api.v1.metrics import views

urlpatterns = [
    path("projects/<str:project>/instances/<str:instance>/metrics", views.InstanceMetrics.as_view()),
    path("projects/<str:project>/ports/<str:port>/metrics", views.PortMetrics.as_view()),
    path("nodes/<str:node>/metrics", views.NodeMetrics.as_view()),
]
