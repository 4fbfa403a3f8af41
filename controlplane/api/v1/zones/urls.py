from django.urls import path

from controlplane.api.v1.zones import views

urlpatterns = [
    path("zones", views.ZoneList.as_view()),
    path("zones/<str:zone>/capacity", views.ZoneCapacity.as_view()),
    path("placement/simulations", views.Simulation.as_view()),
]
