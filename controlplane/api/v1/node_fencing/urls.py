from django.urls import path

from controlplane.api.v1.node_fencing import views

urlpatterns = [
    path("nodes/<str:node>/actions/fence", views.NodeFence.as_view()),
    path("nodes/<str:node>/fencing", views.NodeFencing.as_view()),
    path("nodes/<str:node>/bmc", views.NodeBmc.as_view()),
]
