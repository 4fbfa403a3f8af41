from django.urls import path

from controlplane.api.v1.snapshot_schedules import views

urlpatterns = [
    path("projects/<str:project>/snapshot-schedules", views.SnapshotScheduleList.as_view()),
    path("projects/<str:project>/snapshot-schedules/<str:snapshot_schedule>", views.SnapshotScheduleDetail.as_view()),
]
