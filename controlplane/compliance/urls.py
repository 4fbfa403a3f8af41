from django.urls import path

from controlplane.compliance import api

urlpatterns = [
    path("drift", api.Drift.as_view()),
    path("drift/images", api.ImageDrift.as_view()),
    path("policy/simulate", api.Simulate.as_view()),
    path("projects/<str:project>/remediation-plans", api.PlanList.as_view()),
    path("projects/<str:project>/remediation-plans/<str:plan>/actions/approve", api.PlanApprove.as_view()),
]
