from django.urls import path

from controlplane.api.v1.drift import views

urlpatterns = [
    path("drift", views.Drift.as_view()),
    path("drift/images", views.ImageDrift.as_view()),
]
