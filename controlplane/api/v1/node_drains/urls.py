from django.urls import path

from controlplane.api.v1.node_drains import views

urlpatterns = [
    path("drains", views.DrainList.as_view()),
    path("nodes/<str:node>/drain", views.NodeDrainDetail.as_view()),
    path("nodes/<str:node>/drain/actions/pause", views.NodeDrainPause.as_view()),
    path("nodes/<str:node>/drain/actions/resume", views.NodeDrainResume.as_view()),
    path("nodes/<str:node>/drain/actions/cancel", views.NodeDrainCancel.as_view()),
    path("nodes/<str:node>/drain/actions/retry", views.NodeDrainRetry.as_view()),
    path("nodes/<str:node>/actions/plan-drain", views.NodeDrainPlan.as_view()),
    path("nodes/<str:node>/actions/drain", views.NodeDrain.as_view()),
    path("nodes/<str:node>/actions/maintain", views.NodeMaintain.as_view()),
]
