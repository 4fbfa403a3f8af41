from django.urls import path

from controlplane.workflows import api, maintenance_api

urlpatterns = [
    path("maintenance", maintenance_api.MaintenanceList.as_view()),
    path("maintenance/<str:maintenance>", maintenance_api.MaintenanceDetail.as_view()),
    path("maintenance/<str:maintenance>/actions/end", maintenance_api.MaintenanceEnd.as_view()),
    path("operations/<str:operation>/actions/resolve", api.OperationResolve.as_view()),
    path("projects/<str:project>/operations/<str:operation>/actions/retry", api.OperationRetry.as_view()),
]
