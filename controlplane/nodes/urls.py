from django.urls import path

from controlplane.nodes import api

urlpatterns = [
    path("incidents", api.IncidentList.as_view()),
    path("pools", api.PoolList.as_view()),
    path("nodes", api.NodeList.as_view()),
    path("nodes/<str:node>", api.NodeDetail.as_view()),
    path("nodes/<str:node>/incidents", api.NodeIncidents.as_view()),
    path("nodes/<str:node>/actions/cordon", api.NodeCordon.as_view()),
    path("nodes/<str:node>/actions/uncordon", api.NodeUncordon.as_view()),
    path("nodes/<str:node>/actions/return", api.NodeReturn.as_view()),
    path("nodes/<str:node>/actions/retire", api.NodeRetire.as_view()),
]
