from django.urls import path

from controlplane.api.v1.volumes import views

PROJECT = "projects/<str:project>"

urlpatterns = [
    path(f"{PROJECT}/instances/<str:instance>/attachments", views.AttachmentList.as_view()),
    path(f"{PROJECT}/instances/<str:instance>/attachments/<str:attachment>", views.AttachmentDetail.as_view()),
    path(f"{PROJECT}/volumes", views.VolumeList.as_view()),
    path(f"{PROJECT}/volumes/<str:volume>", views.VolumeDetail.as_view()),
    path(f"{PROJECT}/volumes/<str:volume>/actions/grow", views.VolumeGrow.as_view()),
    path(f"{PROJECT}/volumes/<str:volume>/actions/retype", views.VolumeRetype.as_view()),
    path(f"{PROJECT}/volumes/<str:volume>/actions/revert", views.VolumeRevert.as_view()),
]
