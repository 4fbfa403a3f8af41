from django.urls import path

from controlplane.placement import api

urlpatterns = [
    path("projects/<str:project>/policy", api.Policy.as_view()),
    path("projects/<str:project>/decisions/<str:decision>", api.DecisionDetail.as_view()),
]
