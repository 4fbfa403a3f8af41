from django.urls import path

from controlplane.api.v1.node_recovery import views

urlpatterns = [
    path("nodes/<str:node>/actions/plan-recover", views.NodeRecoverPlan.as_view()),
    path("nodes/<str:node>/actions/recover", views.NodeRecover.as_view()),
]
