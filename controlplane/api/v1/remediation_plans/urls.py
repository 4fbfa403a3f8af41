from django.urls import path

from controlplane.api.v1.remediation_plans import views

urlpatterns = [
    path("projects/<str:project>/remediation-plans", views.PlanList.as_view()),
    path("projects/<str:project>/remediation-plans/<str:plan>/actions/approve", views.PlanApprove.as_view()),
]
