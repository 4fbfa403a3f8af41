from django.urls import path

from controlplane.api.v1.incidents import views

urlpatterns = [
    path("incidents", views.IncidentList.as_view()),
]
