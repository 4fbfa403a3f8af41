from django.urls import path

from controlplane.workflows import api

urlpatterns = [
    path("projects/<str:project>/operations/<str:operation>/actions/retry", api.OperationRetry.as_view()),
]
