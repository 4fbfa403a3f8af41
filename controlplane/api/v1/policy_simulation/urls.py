from django.urls import path

from controlplane.api.v1.policy_simulation import views

urlpatterns = [
    path("policy/simulate", views.Simulate.as_view()),
]
