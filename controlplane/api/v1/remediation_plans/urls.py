from django.urls import path

from controlplane.api.v1.remediation_plans import views

PLANS = "projects/<str:project>/remediation-plans"

urlpatterns = [
    path(PLANS, views.PlanList.as_view()),
    path(f"{PLANS}/<str:plan>", views.PlanDetail.as_view()),
    path(f"{PLANS}/<str:plan>/actions/approve", views.PlanApprove.as_view()),
    path(f"{PLANS}/<str:plan>/actions/execute", views.PlanExecute.as_view()),
    path(f"{PLANS}/<str:plan>/actions/pause", views.PlanPause.as_view()),
]
