from django.urls import path

from controlplane.nodes import api, fencing_api, orphans_api

urlpatterns = [
    path("incidents", api.IncidentList.as_view()),
    path("orphans", orphans_api.OrphanList.as_view()),
    path("orphans/<str:orphan>", orphans_api.OrphanDetail.as_view()),
    path("orphans/<str:orphan>/actions/discard", orphans_api.OrphanDiscard.as_view()),
    path("orphans/<str:orphan>/actions/release", orphans_api.OrphanRelease.as_view()),
    path("nodes", api.NodeList.as_view()),
    path("nodes/<str:node>", api.NodeDetail.as_view()),
    path("nodes/<str:node>/incidents", api.NodeIncidents.as_view()),
    path("nodes/<str:node>/actions/cordon", api.NodeCordon.as_view()),
    path("nodes/<str:node>/actions/uncordon", api.NodeUncordon.as_view()),
    path("nodes/<str:node>/actions/return", api.NodeReturn.as_view()),
    path("nodes/<str:node>/actions/retire", api.NodeRetire.as_view()),
    path("nodes/<str:node>/fencing", fencing_api.NodeFencing.as_view()),
    path("nodes/<str:node>/bmc", fencing_api.NodeBmc.as_view()),
]
