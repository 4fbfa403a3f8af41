from django.urls import path

from controlplane.api.v1.nodes import views

urlpatterns = [
    path("nodes/<str:node>/instances", views.NodeInstances.as_view()),
    path("nodes", views.NodeList.as_view()),
    path("nodes/<str:node>", views.NodeDetail.as_view()),
    path("nodes/<str:node>/incidents", views.NodeIncidents.as_view()),
    path("nodes/<str:node>/actions/cordon", views.NodeCordon.as_view()),
    path("nodes/<str:node>/actions/uncordon", views.NodeUncordon.as_view()),
    path("nodes/<str:node>/actions/return", views.NodeReturn.as_view()),
    path("nodes/<str:node>/actions/retire", views.NodeRetire.as_view()),
]
