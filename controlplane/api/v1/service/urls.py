from django.urls import path

from controlplane.api.v1.service import views

urlpatterns = [
    path("healthz", views.Health.as_view()),
    path("openapi.json", views.OpenApi.as_view()),
    path("problems/<str:code>", views.Problem.as_view()),
]
