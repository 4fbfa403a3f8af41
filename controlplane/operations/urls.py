from django.urls import path

from controlplane.operations import api

urlpatterns = [
    path("operations", api.PlatformOperationList.as_view()),
    path("operations/<str:operation>", api.PlatformOperationDetail.as_view()),
    path("projects/<str:project>/operations", api.OperationList.as_view()),
    path("projects/<str:project>/operations/<str:operation>", api.OperationDetail.as_view()),
    path("projects/<str:project>/operations/<str:operation>/actions/cancel", api.OperationCancel.as_view()),
]
