from django.urls import path

from controlplane.api.v1.snapshots import views

PROJECT = "projects/<str:project>"

urlpatterns = [
    path(f"{PROJECT}/instances/<str:instance>/actions/snapshot", views.InstanceSnapshot.as_view()),
    path(f"{PROJECT}/snapshots", views.SnapshotList.as_view()),
    path(f"{PROJECT}/snapshots/<str:snapshot>", views.SnapshotDetail.as_view()),
]
