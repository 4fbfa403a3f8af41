from django.urls import path

from controlplane.api.v1.decisions import views

urlpatterns = [
    path("projects/<str:project>/decisions/<str:decision>", views.DecisionDetail.as_view()),
]
