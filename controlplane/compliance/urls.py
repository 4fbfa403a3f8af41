from django.urls import path

from controlplane.compliance import api

urlpatterns = [
    path("policy/simulate", api.Simulate.as_view()),
    path("projects/<str:project>/remediation-plans", api.PlanList.as_view()),
    path("projects/<str:project>/remediation-plans/<str:plan>/actions/approve", api.PlanApprove.as_view()),
]
