from django.urls import path

from controlplane.workflows import api

urlpatterns = [
    path("operations/<str:operation>/actions/resolve", api.OperationResolve.as_view()),
    path("projects/<str:project>/operations/<str:operation>/actions/retry", api.OperationRetry.as_view()),
]
