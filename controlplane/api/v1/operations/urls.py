from django.urls import path

from controlplane.api.v1.operations import views

PROJECT = "projects/<str:project>"
OPERATION = f"{PROJECT}/operations/<str:operation>"

urlpatterns = [
    path("operations", views.PlatformOperationList.as_view()),
    path("operations/<str:operation>", views.PlatformOperationDetail.as_view()),
    path(f"{PROJECT}/operations", views.OperationList.as_view()),
    path(OPERATION, views.OperationDetail.as_view()),
    path(f"{OPERATION}/actions/cancel", views.OperationCancel.as_view()),
    path("operations/<str:operation>/actions/resolve", views.OperationResolve.as_view()),
    path(f"{OPERATION}/actions/retry", views.OperationRetry.as_view()),
]
